package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/cost"
	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
)

func (a *app) cost() *cobra.Command {
	var reads float64
	c := &cobra.Command{
		Use:   "cost",
		Short: "What all of it costs a month on AWS, item by item",
		Long: `What all of it costs a month on AWS, item by item: list prices of us-east-1,
without free tiers and discounts. It is an estimate: what is assumed is said
beside each item, and with --json where each price is from. What your own
programs read is not in it without --reads. What the vendors charge never is.`,
		Example: `  keyturn cost
  keyturn cost --reads 100000 --json`,
		Args: noArgs,
	}
	c.Flags().Float64Var(&reads, "reads", 0, "`NUMBER` of reads of each key a month by your own programs")
	c.Flags().StringVar(&a.flags.environment, "environment", "", "`NAME` in the keys' file, for its replicas (KEYTURN_ENVIRONMENT; else the only one)")
	a.configFlag(c)
	return command(c, func(*cobra.Command, []string) error { return a.runCost(reads) })
}

func (a *app) runCost(reads float64) error {
	if reads < 0 {
		return usage("--reads is less than nothing", "keyturn cost --reads 100000")
	}
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	replicas, err := a.replicas(f)
	if err != nil {
		return err
	}
	e := cost.Of(f, cost.Use{Replicas: replicas, Reads: reads})
	if a.flags.json {
		a.printJSON(e)
		return nil
	}
	a.printCost(e)
	if reads == 0 {
		a.say("Reads by your own programs are not in it: $0.08 for 10,000, with decryption; see --reads.")
	}
	return nil
}

func (a *app) printCost(e cost.Estimate) {
	var table console.Table
	table.Row("SERVICE", "WHAT", "QUANTITY", "UNIT PRICE", "$/MONTH", "REMARK")
	items := slices.Clone(e.Items)
	slices.SortStableFunc(items, func(x, y cost.Item) int {
		switch {
		case x.Dollars > y.Dollars:
			return -1
		case x.Dollars < y.Dollars:
			return 1
		}
		return 0
	})
	const little = 0.005 // shows as nothing
	rest, small := 0.0, 0
	for _, i := range items {
		if i.Dollars < little {
			rest += i.Dollars
			small++
			continue
		}
		table.Row(i.Service, i.What, quantity(i), price(i.Price.Dollars), fmt.Sprintf("%.2f", i.Dollars), remark(i))
	}
	if small > 0 {
		table.Row("the rest", count(small, "item")+" under a cent", "", "", fmt.Sprintf("%.2f", rest), "see --json")
	}
	table.Row("all of it", "", "", "", fmt.Sprintf("%.2f", e.Dollars), "")
	_, _ = fmt.Fprint(a.out, table.Render(a.palette(a.outTerminal)))
	a.say("")
	if e.Keys > 0 {
		a.say("$%.2f a key, for %s; $%.2f of the whole is there without any key.", e.PerKey, count(e.Keys, "key"), e.Shared)
	}
	a.say("$%.2f of it is for quantities of which something is assumed.", e.Assumed)
	a.say("List prices of %s, without free tiers; other Regions differ. What each was", e.Region)
	a.say("compared with, and when, is in --json; with nothing: %s.", orNone(unchecked(e.Items)))
}

// remark says what is assumed of an item, and what it leaves out.
func remark(i cost.Item) string {
	if i.Assumed == "" {
		return i.Note
	}
	return strings.TrimSuffix("assumed: "+i.Assumed+"; "+i.Note, "; ")
}

// unchecked are the items whose prices were compared with nothing.
func unchecked(items []cost.Item) []string {
	var names []string
	for _, i := range items {
		if i.Price.Compared == "" {
			names = append(names, i.Service+" "+i.What)
		}
	}
	return names
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func quantity(i cost.Item) string {
	if i.Quantity == 1 {
		return "1 " + strings.TrimSuffix(i.Unit, "s")
	}
	return amount(i.Quantity) + " " + i.Unit
}

// amount returns a quantity with a mark between thousands: 1,234,567, or 0.012.
func amount(q float64) string {
	if q < 10 && q != float64(int(q)) {
		return strconv.FormatFloat(q, 'g', 2, 64)
	}
	s := strconv.FormatFloat(q, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// price returns what one unit costs, or many where one costs next to nothing.
func price(p float64) string {
	for _, per := range []struct {
		units float64
		name  string
	}{{1, ""}, {1e4, " per 10,000"}, {1e6, " per million"}} {
		if d := p * per.units; d >= 0.01 {
			return "$" + strings.TrimSuffix(strconv.FormatFloat(d, 'f', 3, 64), "0") + per.name
		}
	}
	return "$" + strconv.FormatFloat(p, 'g', 3, 64)
}
