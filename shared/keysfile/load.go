package keysfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
)

// Options are what the files are checked against.
type Options struct {
	Vendors []provider.Definition // that there are: catalog.All()
	Now     func() time.Time      // for exceptions that end; nil: time.Now
	// Guardrails bound what the file may say; nil: nothing does.
	Guardrails *Guardrails
}

// Load reads the file at the first path, and further ones that hold keys and
// vendorAccounts only. A path may be a directory, whose *.yaml are read in the
// order of their names; a directory called keys beside a single path is read
// with it.
//
// The error is an [*Error] with everything that is wrong with what is written.
// Any other is of reading, such as a file that is not there.
func Load(fsys fs.FS, o Options, paths ...string) (*File, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	ps := &problems{at: map[string]Position{}, bad: map[string]bool{}}
	if len(paths) > 0 {
		ps.main = Position{File: paths[0]}
	}
	docs, err := ps.documents(fsys, paths)
	if err != nil {
		return nil, err
	}
	f := &File{}
	for _, d := range docs {
		ps.decode(d, d.file == paths[0], f)
	}
	ps.fill(f, o.Vendors)
	if !ps.broken {
		c := &check{problems: ps, file: f, vendors: o.Vendors, now: o.Now(), schedules: map[string]read{}}
		c.all()
		c.guardrails(o.Guardrails)
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	f.fillValues(o.Vendors)
	return f, nil
}

// LoadFiles is [Load] for paths of the operating system, absolute ones and those
// that lead out of the working directory included.
func LoadFiles(o Options, paths ...string) (*File, error) {
	f, err := Load(disk{}, o, paths...)
	if err == nil && f.Detect.Countries != nil {
		f.Detect.Countries.MMDB = filepath.Join(filepath.Dir(paths[0]), filepath.FromSlash(f.Detect.Countries.MMDB))
	}
	return f, err
}

// disk is the operating system's files. It is no fs.FS by the book, for it takes
// any path.
type disk struct{}

func (disk) Open(name string) (fs.File, error) { return os.Open(name) } //nolint:gosec // the operator names the files
