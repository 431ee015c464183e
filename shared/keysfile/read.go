package keysfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds of what is read. A key takes some 500 bytes.
const (
	maxFile  = 2 << 20
	maxFiles = 1000
	maxAll   = 16 << 20
)

// document is one file, parsed.
type document struct {
	file string
	root *yaml.Node
}

// documents reads the files at paths, and what is in directories among them.
// The error is of reading, not of what is written in them.
func (ps *problems) documents(fsys fs.FS, paths []string) ([]document, error) {
	files, err := ps.files(fsys, paths)
	if err != nil {
		return nil, err
	}
	var out []document
	all := 0
	for i, file := range files {
		if i == maxFiles {
			ps.put(Position{File: file}, fmt.Sprintf("there are more than %d files", maxFiles), "put more keys into each")
			break
		}
		data, err := contents(fsys, file)
		if err != nil {
			return nil, err
		}
		if all += len(data); len(data) > maxFile || all > maxAll {
			ps.put(Position{File: file}, fmt.Sprintf("too large: a file may have %d MiB, and all together %d", maxFile>>20, maxAll>>20), "part the keys among several files")
			ps.broken = true
			continue
		}
		root := ps.parse(file, data)
		if root == nil {
			ps.broken = true
			continue
		}
		out = append(out, document{file: file, root: root})
	}
	return out, nil
}

// files replaces directories by the files in them. A file beside the path of
// the only file, in a directory called keys, is read with it.
func (ps *problems) files(fsys fs.FS, paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, errors.New("no file to read")
	}
	if len(paths) == 1 {
		beside := path.Join(path.Dir(filepath.ToSlash(paths[0])), "keys")
		if info, err := fs.Stat(fsys, beside); err == nil && info.IsDir() {
			paths = []string{paths[0], beside}
		}
	}
	var out []string
	for i, p := range paths {
		info, err := fs.Stat(fsys, p)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", p, reason(err))
		case !info.IsDir():
			out = append(out, p)
			continue
		case i == 0:
			return nil, fmt.Errorf("read %s: the first is a directory, not keyturn.yaml", p)
		}
		entries, err := fs.ReadDir(fsys, p)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", p, reason(err))
		}
		for _, e := range entries {
			name := path.Join(filepath.ToSlash(p), e.Name())
			switch {
			case e.IsDir():
				ps.nested(fsys, name)
			case strings.HasSuffix(e.Name(), ".yaml"):
				out = append(out, name)
			case strings.HasSuffix(e.Name(), ".yml"):
				ps.put(Position{File: name}, "only files that end in .yaml are read", "rename it to "+strings.TrimSuffix(e.Name(), ".yml")+".yaml")
			}
		}
	}
	return out, nil
}

// nested tells of keys that would not be read, for they lie one directory deeper.
func (ps *problems) nested(fsys fs.FS, dir string) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && (strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")) {
			ps.put(Position{File: path.Join(dir, name)}, "directories within "+path.Base(path.Dir(dir))+" are not read",
				"move it up, to "+path.Join(path.Dir(dir), path.Base(dir)+"-"+name)+", or out of here")
		}
	}
}

// reason is the error without the path, which the caller has said.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// contents returns the file, or as much of it as shows that it is too large.
func contents(fsys fs.FS, name string) (_ []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, reason(err))
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, reason(err))
	}
	return data, nil
}

// parse returns the mapping that the file is; nil if it is none. Anchors and
// aliases are refused by the decoder, so nothing is ever expanded.
func (ps *problems) parse(file string, data []byte) *yaml.Node {
	if at, ok := encoded(file, data); !ok {
		ps.put(at, "not UTF-8", "save the file in UTF-8")
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithV4Defaults())
	if err != nil {
		ps.put(Position{File: file}, "not YAML", "write it in UTF-8")
		return nil
	}
	var doc yaml.Node
	if err := loader.Load(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			ps.put(Position{File: file}, "empty", "see `keyturn new`")
		} else {
			ps.syntax(file, err)
		}
		return nil
	}
	var second yaml.Node
	switch err := loader.Load(&second); {
	case err == nil:
		ps.put(Position{File: file, Line: second.Line, Column: second.Column}, "a second document begins here", "write it to a file of its own")
	case !errors.Is(err, io.EOF):
		ps.syntax(file, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		ps.put(Position{File: file}, "empty", "see `keyturn new`")
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		ps.put(Position{File: file, Line: root.Line, Column: root.Column}, "not a mapping", "write version: 1, and so on")
		return nil
	}
	return root
}

// encoded tells whether a file is in UTF-8, or where it ceases to be. YAML has
// UTF-16 too, which begins with a mark.
func encoded(file string, data []byte) (at Position, ok bool) {
	if utf8.Valid(data) || bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return at, true
	}
	line, column := 1, 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1:
			return Position{File: file, Line: line, Column: column}, false
		case r == '\n':
			line, column = line+1, 1
		default:
			column++
		}
		data = data[n:]
	}
	return at, true
}

// syntax tells where YAML ends to be YAML.
func (ps *problems) syntax(file string, err error) {
	at, what := Position{File: file}, "not YAML"
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		at.Line, at.Column = e.Mark.Line, e.Mark.Column
		what += ", " + strings.TrimSpace(e.ContextMsg+" "+e.Message)
	}
	ps.put(at, what, "look at the indentation and the quotes here and in the line above")
}
