package cloudflare_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/cloudflare"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/providertest"
)

// copier returns a client whose settings say no rights, and what carries its
// requests.
func copier(t *testing.T, cf *cloudflaretest.Server) (*cloudflare.Client, *providertest.Transport) {
	t.Helper()
	tr := &providertest.Transport{Handler: cf, Host: host}
	return cloudflare.New(settings(t, `{"copyPolicies": true}`), cf.Admin(host), &http.Client{Transport: tr}), tr
}

// A copy may do what the other may, from where it may, and lives on its own: it
// does not end with the other, and is not disabled like it.
func TestCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
		from, err := client(t, cf, cf.Admin(host)).Create(t.Context(), "by hand")
		if err != nil {
			t.Fatal(err)
		}
		c, _ := copier(t, cf)
		err = errors.Join(c.Expire(t.Context(), from.ID, time.Now().Add(time.Hour)), c.Disable(t.Context(), from.ID))
		if err != nil {
			t.Fatal(err)
		}
		is, err := c.Copy(t.Context(), "k", from.ID)
		if err != nil || is.ID == from.ID || is.Name != "k" {
			t.Fatalf("%+v, %v", is.Key, err)
		}
		old, oerr := c.Scopes(t.Context(), from.ID)
		fresh, ferr := c.Scopes(t.Context(), is.ID)
		if oerr != nil || ferr != nil || !slices.Equal(old, fresh) || len(fresh) != 3 || !strings.HasPrefix(fresh[0], "condition ") {
			t.Errorf("%q and %v, copied %q and %v", old, oerr, fresh, ferr)
		}
		time.Sleep(2 * time.Hour)
		if err := c.Verify(t.Context(), is.Value); err != nil {
			t.Errorf("the copy, after the other has ended: %v", err)
		}
	})
}

// What cannot be copied is not made.
func TestCopy_ofNone(t *testing.T) {
	t.Parallel()
	cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
	c, _ := copier(t, cf)
	n := len(cf.Live())
	for id, want := range map[string]provider.Kind{
		"0123456789abcdef0123456789abcdef": provider.KindNotFound, "": provider.KindPermanent, "verify": provider.KindPermanent,
	} {
		if _, err := c.Copy(t.Context(), "k", id); err == nil || provider.KindOf(err) != want {
			t.Errorf("%q: %v, want %v", id, err, want)
		}
	}
	if _, err := c.Create(t.Context(), "k"); provider.KindOf(err) != provider.KindPermanent || !strings.Contains(err.Error(), "adopt") {
		t.Errorf("the first one, without policies: %v", err)
	}
	if len(cf.Live()) != n {
		t.Error("a token was made")
	}
}

// However either request fails, at most one token is made, and where one is the
// error tells to look for it.
func TestCopy_faults(t *testing.T) {
	t.Parallel()
	for _, f := range providertest.Faults() {
		for at := 1; at <= 2; at++ {
			synctest.Test(t, func(t *testing.T) {
				cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
				from := cf.Add("by hand")
				before := len(cf.Live())
				c, tr := copier(t, cf)
				tr.Fault, tr.At, tr.Sticky = f, at, at == 1 // a read is sent again
				_, err := c.Copy(t.Context(), "k", from.ID)
				made := len(cf.Live()) - before
				switch kind := provider.KindOf(err); {
				case made > 1, err == nil && made != 1, err != nil && made == 1 && kind != provider.KindUnknown:
					t.Errorf("%s at request %d: %d made, %v", f.Name, at, made, err)
				case at == 1 && made == 0 && kind == provider.KindUnknown && err != nil:
					t.Errorf("%s: nothing was made, and it is looked for: %v", f.Name, err)
				}
			})
		}
	}
}

// What a copy sends, and what the fake answers, is what Cloudflare describes.
func TestCopy_openAPI(t *testing.T) {
	t.Parallel()
	spec, ok := providertest.Reference(t, "cloudflare-user-tokens.json")
	if !ok {
		return
	}
	const described = "api.vendor.test" // where the suite has every vendor
	cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
	hc := &http.Client{Transport: spec.Wrap(&providertest.Transport{Handler: cf, Host: described}, func(err error) { t.Error(err) })}
	c := cloudflare.New(settings(t, `{"baseURL":"https://`+described+`/client/v4","copyPolicies":true}`), cf.Admin(described), hc)
	if _, err := c.Copy(t.Context(), "k", cf.Add("by hand", "Zone Read", "DNS Write").ID); err != nil {
		t.Error(err)
	}
}

// Whether rights are copied is the settings' to say.
func TestCopy_asked(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{"{" + rights + "}": false, `{"copyPolicies": true}`: true} {
		st, err := cloudflare.Definition().Open(json.RawMessage(raw), provider.Admin{}, http.DefaultClient)
		if o, ok := st.(provider.Overlap); err != nil || !ok || (o.Copy != nil) != want {
			t.Errorf("%s: %v, %v", raw, o.Copy, err)
		}
	}
}
