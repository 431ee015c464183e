package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// leaves says what a deployment of the change leaves for a person to end: old
// keys, and stacks.
func leaves(before, after *keysfile.File) []string {
	left := []string{}
	say := func(format string, args ...any) {
		for i, arg := range args {
			args[i] = console.Clean(fmt.Sprint(arg))
		}
		left = append(left, fmt.Sprintf(format, args...))
	}
	if before.Name != after.Name {
		say("everything of the installation %s stays deployed, and rotates on: keyturn leftovers, with the file before, says what; to move a key into another installation, take it out of the first", before.Name)
		return left
	}
	renamed := renamed(before, after)
	for _, k := range before.Keys {
		name := k.Name
		n, stays := keyNamed(after, k.Name)
		switch to := renamed[k.Name]; {
		case stays && n.VendorAccount != k.VendorAccount:
			say("%s moves from the vendor account %s to %s: a deployment keeps its value, and the next rotation stores a key of the new account; the key of the old one works on, and no function ends it: before it, see keyturn explain %s --moved",
				name, k.VendorAccount, n.VendorAccount, name)
		case stays:
		case to != "":
			say("%s looks renamed to %s, which is another secret with a key of its own: who reads %s gets nothing new, and it ends by no deployment: keep both until nobody reads it, then keyturn explain %s --removed", name, to, name, name)
		default:
			say("%s ends by no deployment: before it, see keyturn status; then keyturn explain %s --removed", name, name)
		}
	}
	stacksLeft(before, after, say)
	return left
}

// stacksLeft says which stacks nobody looks after any more.
func stacksLeft(before, after *keysfile.File, say func(format string, args ...any)) {
	for _, name := range slices.Sorted(maps.Keys(before.VendorAccounts)) {
		if _, stays := after.VendorAccounts[name]; !stays {
			stack := before.Name + "-vendor-" + name
			say("%s stays deployed, with its functions, until its stack is deleted: after the deployment, aws cloudformation delete-stack --stack-name %s", name, stack)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before.Environments)) {
		e, stays := after.Environments[name]
		for _, region := range before.Environments[name].Replicas {
			if stays && !slices.Contains(e.Replicas, region) {
				say("%s is no Region of replicas of %s any more, and its stack stays, and passes events on: after the deployment, aws cloudformation delete-stack --region %s --stack-name %s",
					region, name, region, before.Name+"-"+region+"-watch")
			}
		}
	}
}

func keyNamed(f *keysfile.File, name string) (keysfile.Key, bool) {
	i := slices.IndexFunc(f.Keys, func(k keysfile.Key) bool { return k.Name == name })
	if i < 0 {
		return keysfile.Key{}, false
	}
	return f.Keys[i], true
}

// renamed guesses which of the keys that go come back under another name: one
// whose entry is the same but for its name, or the only ones of their vendor
// account that go and come.
func renamed(before, after *keysfile.File) map[string]string {
	gone, come := without(before, after), without(after, before)
	names := map[string]string{}
	for _, k := range gone {
		same := slices.IndexFunc(come, func(n keysfile.Key) bool {
			n.Name, n.At, n.Existing = k.Name, k.At, k.Existing
			return reflect.DeepEqual(k, n)
		})
		if of := inAccount(come, k.VendorAccount); same < 0 && len(of) == 1 && len(inAccount(gone, k.VendorAccount)) == 1 {
			same = slices.IndexFunc(come, func(n keysfile.Key) bool { return n.Name == of[0].Name })
		}
		if same >= 0 {
			names[k.Name] = come[same].Name
			come = slices.Delete(come, same, same+1)
		}
	}
	return names
}

// without are the keys of f that other does not have.
func without(f, other *keysfile.File) (keys []keysfile.Key) {
	for _, k := range f.Keys {
		if _, has := keyNamed(other, k.Name); !has {
			keys = append(keys, k)
		}
	}
	return keys
}

func inAccount(keys []keysfile.Key, account string) (of []keysfile.Key) {
	for _, k := range keys {
		if k.VendorAccount == account {
			of = append(of, k)
		}
	}
	return of
}
