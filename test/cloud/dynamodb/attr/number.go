package attr

import (
	"math/big"
	"strconv"
	"strings"
)

// The range of DynamoDB's numbers.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
const (
	maxDigits   = 38
	maxExponent = 125
	minExponent = -130
)

// canonical returns the one spelling of a number: no exponent, no needless zeros.
func canonical(text string) (string, error) {
	bad := invalid("The parameter cannot be converted to a numeric value")
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(text), "e")
	scale := 0
	if hasExponent {
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return "", bad
		}
		// Beyond any text that fits a request: avoids overflow below.
		scale = max(min(n, 1<<22), -1<<22)
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", bad
	}
	scale -= len(fraction)
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return "0", nil
	}
	trimmed := strings.TrimRight(digits, "0")
	scale += len(digits) - len(trimmed)
	switch magnitude := scale + len(trimmed) - 1; {
	case len(trimmed) > maxDigits:
		return "", invalid("Attempting to store more than 38 significant digits in a Number")
	case magnitude > maxExponent:
		return "", invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case magnitude < minExponent:
		return "", invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return spell(trimmed, scale, negative), nil
}

func spell(digits string, scale int, negative bool) string {
	out := digits
	switch {
	case scale >= 0:
		out += strings.Repeat("0", scale)
	case -scale < len(digits):
		out = digits[:len(digits)+scale] + "." + digits[len(digits)+scale:]
	default:
		out = "0." + strings.Repeat("0", -scale-len(digits)) + digits
	}
	if negative {
		return "-" + out
	}
	return out
}

// rat returns the value of a canonical number.
func rat(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return new(big.Rat)
	}
	return r
}

// Add returns a+b, or a-b if minus. Both are Numbers.
func Add(a, b Value, minus bool) (Value, error) {
	x, y := rat(a.Text), rat(b.Text)
	if minus {
		y.Neg(y)
	}
	// Canonical numbers have at most 130+38 decimal places, so this is exact.
	text, err := canonical(x.Add(x, y).FloatString(maxDigits - minExponent))
	return Value{Kind: Number, Text: text}, err
}

// Int returns n as a Number.
func Int(n int) Value { return Value{Kind: Number, Text: strconv.Itoa(n)} }

// Unix returns a Number's whole part as an integer, as a time to live is read.
func (v Value) Unix() (seconds int64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	whole, _, _ := strings.Cut(v.Text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	return n, err == nil
}
