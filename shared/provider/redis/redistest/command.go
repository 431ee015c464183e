package redistest

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

const (
	ok       = "+OK\r\n"
	null     = "$-1\r\n"
	nameless = "" // a connection that has proved to be nobody
)

// Serve speaks RESP on conn until it ends, and closes it.
func (s *Server) Serve(conn io.ReadWriteCloser) {
	defer conn.Close() //nolint:errcheck // nothing to do about it
	r, user := bufio.NewReader(conn), nameless
	for {
		args, err := ReadCommand(r)
		if err != nil {
			return
		}
		answer := s.Do(user, args)
		user = After(user, args, answer)
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// After returns whom a connection has proved to be after a command.
func After(user string, args []string, answer string) string {
	if len(args) == 3 && strings.EqualFold(args[0], "AUTH") && answer == ok {
		return args[1]
	}
	return user
}

// ReadCommand reads one command, an array of bulk strings.
func ReadCommand(r *bufio.Reader) ([]string, error) {
	n, err := length(r, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := length(r, '$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

func length(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	if err != nil || line[0] != kind || n < 0 || n > 1<<16 {
		return 0, errors.New("not a command")
	}
	return n, nil
}

// Do carries out a command of a connection that has proved to be user, and
// returns the answer as it is on the wire.
func (s *Server) Do(user string, args []string) string {
	s.Lock()
	defer s.Unlock()
	return s.do(user, args)
}

// do is Do for who holds the lock.
func (s *Server) do(user string, args []string) string {
	if len(args) == 0 {
		return refused("ERR unknown command")
	}
	name := strings.ToUpper(args[0])
	if (name == "ACL" || name == "CONFIG") && len(args) > 1 {
		name += " " + strings.ToUpper(args[1])
	}
	s.seen = append(s.seen, name)
	switch {
	case s.loading > 0:
		s.loading--
		return refused("LOADING Redis is loading the dataset in memory")
	case name == "AUTH" && len(args) == 3:
		if !s.admits(args[1], args[2]) {
			return refused("WRONGPASS invalid username-password pair or user is disabled.")
		}
		s.learn(args[2])
		return ok
	case user == nameless:
		return refused("NOAUTH Authentication required.")
	case user != admin && name != "PING", s.opts.Permission != "" && name != s.opts.Permission:
		return refused("NOPERM this user has no permissions to run the '" + strings.ToLower(strings.ReplaceAll(name, " ", "|")) + "' command")
	}
	return s.manage(name, args)
}

// manage carries out what an admin may.
func (s *Server) manage(name string, args []string) string {
	switch name {
	case "PING":
		return "+PONG\r\n"
	case "ACL GETUSER":
		if len(args) == 3 {
			return s.show(args[2])
		}
	case "ACL SETUSER":
		if len(args) > 2 {
			return s.set(args[2], args[3:])
		}
	case "ACL SAVE":
		if s.opts.NoACLFile {
			return refused("ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.")
		}
		return s.save("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
	case "CONFIG REWRITE":
		if s.opts.NoConfig {
			return refused("ERR The server is running without a config file")
		}
		if !s.opts.NoACLFile {
			return ok // users are in their own file
		}
		return s.save("ERR Rewriting config file: No space left on device")
	}
	return refused("ERR wrong number of arguments")
}

func (s *Server) save(full string) string {
	if s.opts.FullDisk {
		return refused(full)
	}
	s.saved = s.snapshot()
	return ok
}

// set makes the user if there is none, as Redis does.
func (s *Server) set(name string, rules []string) string {
	u := s.users[name]
	if u == nil {
		u = &user{off: true}
		s.users[name] = u
	}
	for _, rule := range rules {
		if rule == "" {
			return refused("ERR Error in ACL SETUSER modifier '': Syntax error")
		}
		if why := s.apply(u, rule); why != "" {
			return refused(why)
		}
	}
	return ok
}

func (s *Server) show(name string) string {
	u := s.users[name]
	if u == nil {
		return null
	}
	flags := []string{"on"}
	if u.off {
		flags = []string{"off"}
	}
	if u.nopass {
		flags = append(flags, "nopass")
	}
	return "*12\r\n" + bulk("flags") + list(flags) + bulk("passwords") + list(u.hashes) +
		bulk("commands") + bulk("-@all +ping") + bulk("keys") + bulk("") + bulk("channels") + bulk("") + bulk("selectors") + list(nil)
}

func refused(why string) string { return "-" + why + "\r\n" }

func bulk(v string) string { return "$" + strconv.Itoa(len(v)) + "\r\n" + v + "\r\n" }

func list(vs []string) string {
	out := []string{"*" + strconv.Itoa(len(vs)) + "\r\n"}
	for _, v := range vs {
		out = append(out, bulk(v))
	}
	return strings.Join(out, "")
}
