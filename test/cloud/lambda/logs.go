package lambda

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// maxLog is how many bytes of log a function keeps; maxLine is the longest line.
const (
	maxLog  = 4 << 20
	maxLine = 256 << 10
)

// logs is a function's log group.
type logs struct {
	name string
	tee  io.Writer // nil: none

	mu    sync.Mutex
	kept  []string
	size  int
	total int // lines ever added
}

func (l *logs) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, line)
	l.size += len(line)
	l.total++
	drop := 0
	for l.size > maxLog {
		l.size -= len(l.kept[drop])
		drop++
	}
	l.kept = slices.Delete(l.kept, 0, drop)
	if l.tee != nil {
		_, _ = fmt.Fprintf(l.tee, "%s: %s\n", l.name, line) // a log that cannot be written is no failure of the function
	}
}

// since returns what was added after the first n lines and is still kept, and
// how many lines there have been.
func (l *logs) since(n int) (lines []string, total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped := l.total - len(l.kept)
	return slices.Clone(l.kept[min(max(0, n-dropped), len(l.kept)):]), l.total
}

// mark is written to a process's output by us: what came before it was written
// before.
const mark = 0

// output is the pipe that a process writes its log to. Its write end stays open
// here, so that flush can tell when all that the process wrote has been read.
type output struct {
	read, write *os.File
	marks       chan struct{}
	flushing    sync.Mutex    // one mark at a time
	done        chan struct{} // closed when reading has ended
}

func newOutput(l *logs) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o := &output{read: r, write: w, marks: make(chan struct{}, 1), done: make(chan struct{})}
	go o.copy(l)
	return o, nil
}

func (o *output) copy(l *logs) {
	defer close(o.done)
	var line []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := o.read.Read(buf)
		for _, b := range buf[:n] {
			if b != mark && b != '\n' {
				line = append(line, b)
			}
			if b == '\n' || len(line) >= maxLine {
				l.add(string(bytes.TrimSuffix(line, []byte("\r"))))
				line = line[:0]
			}
			if b == mark {
				select {
				case o.marks <- struct{}{}:
				default:
				}
			}
		}
		if err != nil {
			if len(line) > 0 {
				l.add(string(line))
			}
			return
		}
	}
}

// flush returns when all that the process has written is in the log.
func (o *output) flush() {
	o.flushing.Lock()
	defer o.flushing.Unlock()
	if _, err := o.write.Write([]byte{mark}); err != nil {
		return
	}
	select {
	case <-o.marks:
	case <-o.done:
	}
}

// close ends the reading after what was written. A child of the process that
// still holds the pipe writes into the void.
func (o *output) close() {
	o.flush()
	_ = o.write.Close() // nothing is buffered
	_ = o.read.Close()  // only read from
	<-o.done
}
