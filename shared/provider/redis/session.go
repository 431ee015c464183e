package redis

import (
	"context"
	"errors"
	"slices"
	"strings"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const (
	opAuth    = "AUTH"
	opGet     = "ACL GETUSER"
	opSet     = "ACL SETUSER"
	opSave    = "ACL SAVE"
	opRewrite = "CONFIG REWRITE"
)

// session is a connection on which somebody has proved to be a user.
type session struct {
	conn     redigo.Conn
	settings Settings
}

// open connects, proves to be user and runs use, and all of it again where that
// may help. It returns [provider.ErrRejected] if the password was refused.
func (c *Client) open(ctx context.Context, op, user string, password secret.Value, use func(context.Context, *session) error) error {
	network := "tls"
	if !c.settings.secure() {
		network = "tcp"
	}
	return httpapi.Retry(ctx, op, func(ctx context.Context) error {
		conn, err := c.dial(ctx, network, c.settings.Address)
		if err != nil {
			return httpapi.Dialed(op, err)
		}
		s := &session{redigo.NewConn(&bounded{Conn: conn, left: maxAnswers}, 0, 0), c.settings}
		defer s.conn.Close() //nolint:errcheck // nothing to do about it
		if err := s.ok(ctx, opAuth, "AUTH", user, password.Reveal()); err != nil {
			return err
		}
		return use(ctx, s)
	})
}

// do sends a command and returns its answer.
func (s *session) do(ctx context.Context, op, command string, args ...any) (any, error) {
	answer, err := redigo.DoContext(s.conn, ctx, command, args...)
	if said, ok := errors.AsType[redigo.Error](err); ok {
		return nil, refusal(op, string(said))
	}
	if err != nil {
		return nil, httpapi.Broken(op, err)
	}
	return answer, nil
}

// ok sends a command that is answered OK.
func (s *session) ok(ctx context.Context, op, command string, args ...any) error {
	answer, err := s.do(ctx, op, command, args...)
	if err == nil && answer != "OK" {
		return unexpected(op)
	}
	return err
}

func unexpected(op string) *provider.Error {
	return &provider.Error{Op: op, Err: errors.New("not the answer expected")}
}

// refusal makes the error for an error that the server said, whose text may
// hold what it was sent. The codes are those of the server's source: Redis
// documents none but a few of them.
func refusal(op, said string) error {
	code, _, _ := strings.Cut(said, " ")
	e := &provider.Error{Op: op, Kind: provider.KindPermanent}
	switch {
	case code == "WRONGPASS":
		return provider.ErrRejected
	case code == "NOPERM":
		e.Kind, e.Err = provider.KindAuth, errors.New("the user has no permission for this command")
	case code == "NOAUTH":
		e.Kind, e.Err = provider.KindAuth, errors.New("the server does not know us")
	case slices.Contains([]string{"LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN", "CLUSTERDOWN"}, code):
		e.Kind, e.Err = provider.KindRateLimited, errors.New("the server is loading its data, or busy")
	case strings.Contains(said, "max number of clients"):
		e.Kind, e.Err = provider.KindRateLimited, errors.New("the server has as many clients as it takes")
	case code == "DENIED":
		e.Err = errors.New("the server is in protected mode: it has no password for its default user")
	case strings.Contains(said, "not configured to use an ACL file"):
		return errNoFile
	default:
		e.Err = errors.New("the server refused the command: it takes Redis 6.0 or later, with ACL")
	}
	return e
}

// errNoFile says that the server has no ACL file; it never leaves the package.
var errNoFile = errors.New("no ACL file")

// persist has the server write its users down.
func (s *session) persist(ctx context.Context) error {
	if s.settings.Persist == persistNone {
		return nil
	}
	err := s.ok(ctx, opSave, "ACL", "SAVE")
	switch {
	case !errors.Is(err, errNoFile):
		return saved(err)
	case s.settings.Persist != persistRewrite:
		return refuse(opSave, `the server has no ACL file, so a restart would lose the password: give it one (aclfile in redis.conf), or set persist to "rewrite" or "none"`)
	}
	return saved(s.ok(ctx, opRewrite, "CONFIG", "REWRITE"))
}

// saved says what a refused save means.
func saved(err error) error {
	if e, ok := errors.AsType[*provider.Error](err); ok && e.Kind == provider.KindPermanent {
		e.Err = errors.New(`the server could not write its users down, so a restart would lose the password: see its log, or set persist to another of "aclfile", "rewrite" and "none"`)
	}
	return err
}

// account is what there is to know about the user.
type account struct {
	passwords   []string // SHA-256, hex
	nopass, off bool
}

// account asks for the user whose passwords are replaced.
func (s *session) account(ctx context.Context) (account, error) {
	answer, err := s.do(ctx, opGet, "ACL", "GETUSER", s.settings.User)
	if err != nil {
		return account{}, err
	}
	if answer == nil {
		return account{}, refuse(opGet, "there is no such user at the server: make it first")
	}
	members, _ := answer.([]any)
	flags, known := member(members, "flags")
	passwords, sure := member(members, "passwords")
	u := account{passwords: passwords, nopass: slices.Contains(flags, "nopass"), off: slices.Contains(flags, "off")}
	if !known || !sure || u.off == slices.Contains(flags, "on") {
		return account{}, unexpected(opGet)
	}
	for i, p := range passwords {
		if !hashForm.MatchString(p) || slices.Contains(passwords[:i], p) {
			return account{}, unexpected(opGet)
		}
	}
	return u, nil
}

// member returns the texts of the member called name, which must be there once.
// An answer is names and values in turn.
func member(members []any, name string) ([]string, bool) {
	if len(members)%2 != 0 {
		return nil, false
	}
	var out []string
	found := 0
	for pair := range slices.Chunk(members, 2) {
		if b, ok := pair[0].([]byte); !ok || string(b) != name {
			continue
		}
		found++
		list, ok := pair[1].([]any)
		if !ok {
			return nil, false
		}
		for _, v := range list {
			// Redis says flags as status lines, and as bulk strings later on.
			switch v := v.(type) {
			case []byte:
				out = append(out, string(v))
			case string:
				out = append(out, v)
			default:
				return nil, false
			}
		}
	}
	return out, found == 1
}
