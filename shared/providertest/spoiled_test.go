package providertest

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
)

// spoiledToy breaks one promise, and the checks named must find it.
type spoiledToy struct {
	name  string
	toy   toy
	found []string
}

func (y spoiledToy) run(t *testing.T) {
	t.Helper()
	for _, name := range y.found {
		c, ok := checkCalled(y.toy.subject(), name)
		if !ok {
			t.Fatalf("there is no check %q", name)
		}
		found := c.run(t, y.toy.subject())
		if len(found) == 0 {
			t.Errorf("%q did not find it", name)
		}
		t.Logf("%s: %v", name, found)
	}
}

// sampled is a fifth of all with -short.
func sampled[T any](all []T) (out []T) {
	if !testing.Short() {
		return all
	}
	for i := 0; i < len(all); i += 5 {
		out = append(out, all[i])
	}
	return out
}

func filled(spoil func(*toyClient)) toy { return toy{strategy: "DualSlot", spoil: spoil} }
func placed(spoil func(*toyClient)) toy {
	return toy{strategy: "DualSlot", place: true, spoil: spoil}
}
func inPlace(spoil func(*toyClient)) toy { return toy{strategy: "RollInPlace", spoil: spoil} }
func graced(spoil func(*toyClient)) toy  { return toy{strategy: "RollWithGrace", spoil: spoil} }
func rolledOnly(spoil func(*toyClient)) toy {
	return toy{strategy: "RollInPlace", only: true, spoil: spoil}
}

func informed(y toy, info func(*provider.Info)) toy {
	y.info = info
	return y
}

func settlesSoon(i *provider.Info) { i.Settle.Within = 5 * time.Second }
func settlesOnce(i *provider.Info) { i.Settle.Successes = 1 }

// Slots.
func TestSuite_findsBrokenSlots(t *testing.T) {
	t.Parallel()
	for _, y := range sampled([]spoiledToy{
		{"a fill sent twice", filled(sentAgain), []string{"fault/reply lost", "fault/500 applied"}},
		{"a place that does not look first", placed(looksNot), []string{"a value placed twice", "fault/reply lost"}},
		{"a place that looks, and takes an error for no", placed(looksAway), []string{"a look that fails"}},
		{"a place sent twice", placed(sentAgain), []string{"fault/reply lost"}},
		{"a place of another value", placed(placesAnother), []string{"life without a fault"}},
		{"a place that is sure when nobody is", placed(sureOfNothing), []string{"fault/reply lost"}},
		{"the first page only", filled(firstSlots), []string{"pages", "life without a fault"}},
		{"a list that swallows errors", filled(fewerSlots), []string{"fault/request lost", "canceled"}},
		{"a list without what is disabled", filled(enabledOnly), []string{"disable and enable"}},
		{"an identify that returns the first slot", filled(identifiesFirst), []string{"life without a fault", "a value leads to its slot", "values that are no keys"}},
		{"an identify that says nothing of a value it does not find", placed(identifiesQuietly), []string{"a value leads to its slot", "values that are no keys"}},
		{"an identify that takes an error for no", filled(identifiesAnyhow), []string{"fault/request lost", "fault/400 echoing the request"}},
		{"a revoke of another slot", filled(revokesOther), []string{"life without a fault"}},
		{"a revoke of whatever is there", filled(revokesAll), []string{"life without a fault", "ids that are no keys"}},
		{"a second revoke that is an error", filled(revokesGone), []string{"life without a fault"}},
		{"a revoke that only disables", filled(disablesOnly), []string{"life without a fault", "an emptied slot is free"}},
		{"a revoke that wants an enabled key", filled(revokesEnabled), []string{"a disabled key revoked"}},
		{"a revoke that believes a page", filled(revokesBlindly), []string{"fault/200 with a page, not applied", "fault/404 of a proxy"}},
		{"a 403 that is always a full principal", filled(fullAt403), []string{"forbidden with room"}},
		{"a full principal that is no KindFull", placed(fullNever), []string{"no room", "an emptied slot is free"}},
		{"a verify that trusts any 2xx", filled(verifiesAny), []string{"fault/200 with a page, not applied", "fault/204 not applied"}},
		{"a verify that rejects at any refusal", filled(rejectsAny), []string{"fault/500 not applied", "fault/403 of a proxy"}},
		{"a verify with the admin credential", filled(verifiesAsAdmin), []string{"values that are no keys", "life without a fault"}},
		{"a value in an error", filled(tellsValue), []string{"fault/500 applied", "values that are no keys"}},
		{"a value in a key's name", filled(namesValue), []string{"life without a fault"}},
		{"a body in an error", placed(tellsBody), []string{"fault/400 echoing the request"}},
		{"an identify that finds only what works", filled(identifiesWorking), []string{"a disabled key revoked"}},
		{"a principal that nothing names", toy{strategy: "DualSlot", shared: true}, []string{"definition"}},
		{"a request without admin", filled(asksAnyone), []string{"admin credential missing"}},
		{"a choice that repeats", placed(choosesAgain), []string{"values of our own choosing"}},
		{"a choice that does not fit the shape", placed(choosesOdd), []string{"values of our own choosing", "life without a fault"}},
		{"a choice of little randomness", placed(choosesLittle), []string{"values of our own choosing"}},
		{"a full principal emptied", filled(evicts), []string{"no room"}},
		{"a canceled context ignored", filled(findsForEver), []string{"canceled"}},
		{"a use that never moves", filled(usesNever), []string{"last use moves"}},
		{"a disable that does nothing", filled(disablesNothing), []string{"disable and enable", "life without a fault"}},
		{"a settle time too short", informed(placed(nil), settlesSoon), []string{"settles"}},
		{"one success believed", informed(filled(nil), settlesOnce), []string{"settles"}},
		{"another number of slots than there are", filled(countsWrong), []string{"no room"}},
	}) {
		t.Run(y.name, func(t *testing.T) {
			t.Parallel()
			y.run(t)
		})
	}
}

// The key that is rolled, without a grace and with one.
func TestSuite_findsBrokenRolls(t *testing.T) {
	t.Parallel()
	for _, y := range sampled([]spoiledToy{
		{"a set that is not idempotent", inPlace(setsOnce), []string{"a value set twice"}},
		{"a set of another value", inPlace(setsLess), []string{"life without a fault"}},
		{"a set of the one key, whatever is asked", inPlace(setsTheOne), []string{"ids that are no keys"}},
		{"a set of whatever key", inPlace(setsOther), []string{"life without a fault"}},
		{"a set that is sure when nobody is", inPlace(setsSurely), []string{"fault/reply lost"}},
		{"a set without proof", inPlace(setsAnyhow), []string{"fault/500 not applied", "canceled"}},
		{"a set that believes a page", inPlace(setsBlindly), []string{"fault/200 with a page, not applied"}},
		{"a value in an error", inPlace(setTellsValue), []string{"fault/500 applied", "ids that are no keys"}},
		{"a read of what was set, not of what is", inPlace(readsMemory), []string{"canceled", "life without a fault"}},
		{"a read of another key", inPlace(readsOther), []string{"life without a fault"}},
		{"a read with a value and an error", inPlace(readsAnyhow), []string{"fault/401 of the vendor", "canceled"}},
		{"a roll sent again", rolledOnly(rollsAgain), []string{"fault/reply lost", "fault/500 applied"}},
		{"a roll that leaves the old value", rolledOnly(rollsLongest), []string{"life without a fault", "the old value", "old values settle"}},
		{"a roll of the one key, whatever is asked", rolledOnly(rollsTheOne), []string{"ids that are no keys"}},
		{"a roll of whatever key", rolledOnly(rollsOther), []string{"life without a fault"}},
		{"a roll that is sure when nobody is", rolledOnly(rollsSurely), []string{"fault/reply lost"}},
		{"a roll that rolls nothing", inPlace(rollsNot), []string{"life without a fault", "the old value"}},
		{"a choice that repeats", inPlace(choosesAgain), []string{"values of our own choosing"}},
		{"a choice that does not fit the shape", inPlace(choosesOdd), []string{"values of our own choosing"}},
		{"a verify that trusts any 2xx", inPlace(verifiesAny), []string{"fault/200 with a page, not applied"}},
		{"a verify that rejects at any refusal", inPlace(rejectsAny), []string{"fault/403 of a proxy", "fault/500 not applied"}},
		{"a key that nothing names", toy{strategy: "RollInPlace", shared: true}, []string{"definition"}},
		{"a request without admin", inPlace(asksAnyone), []string{"admin credential missing"}},
		{"a settle time too short", informed(inPlace(nil), settlesSoon), []string{"settles"}},
		{"one success believed", informed(inPlace(nil), settlesOnce), []string{"settles"}},
		{"with a grace: a roll sent again", graced(rollsAgain), []string{"fault/reply lost"}},
		{"with a grace: a roll of the one key, whatever is asked", graced(rollsTheOne), []string{"ids that are no keys"}},
		{"with a grace: a roll of whatever key", graced(rollsOther), []string{"life without a fault"}},
		{"with a grace: a roll that is sure when nobody is", graced(rollsSurely), []string{"fault/reply lost"}},
		{"with a grace: a canceled context ignored", graced(rollsForAges), []string{"canceled"}},
		{"a grace ignored", graced(rollsShortest), []string{"grace"}},
		{"an old value that ends at once", graced(rollsAtOnce), []string{"grace", "life without a fault"}},
		{"an old value that lives for ever", graced(rollsForEver), []string{"grace", "old values settle"}},
		{"a grace in minutes", graced(rollsInMinutes), []string{"grace"}},
		{"a grace longer than there is", graced(promisesMore), []string{"grace"}},
		{"a grace shorter than there is", graced(promisesLess), []string{"grace"}},
		{"a fixed grace that is not", graced(promisesFixed), []string{"grace"}},
		{"with a grace: a value cut short", graced(rollsShort), []string{"life without a fault"}},
		{"with a grace: a value in an error", graced(rollTellsValue), []string{"life without a fault"}},
		{"with a grace: a value and an error", graced(rollsAndFails), []string{"fault/401 of the vendor"}},
		{"with a grace: a verify that trusts any 2xx", graced(verifiesAny), []string{"fault/200 with a page, not applied"}},
		{"with a grace: a verify that rejects at any refusal", graced(rejectsAny), []string{"fault/503 with a page"}},
		{"with a grace: a key that nothing names", toy{strategy: "RollWithGrace", shared: true}, []string{"definition"}},
		{"with a grace: a request without admin", graced(asksAnyone), []string{"admin credential missing"}},
		{"with a grace: a settle time too short", informed(graced(nil), settlesSoon), []string{"settles"}},
	}) {
		t.Run(y.name, func(t *testing.T) {
			t.Parallel()
			y.run(t)
		})
	}
}
