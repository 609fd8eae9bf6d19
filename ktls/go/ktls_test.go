// SPDX-License-Identifier: MIT

package ktls

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

const soon = 50 * time.Millisecond

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, not %v", err, want)
	}
}

func pair(t *testing.T, kind int) (int, int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	return fds[0], fds[1]
}

// queue returns a Listener and the end that ktlsd would write to.
func queue(t *testing.T) (*Listener, int) {
	t.Helper()
	r, w := pair(t, syscall.SOCK_SEQPACKET)
	l, err := listen(r, 0)
	must(t, err)
	t.Cleanup(func() {
		l.Close()
		syscall.Close(w)
	})
	return l, w
}

// A hand-off of a relay, whose client is 192.0.2.1:40000 (IPv4) or [2001::1].
func message(ipv6 bool) []byte {
	msg := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x22" +
		"\xc0\x00\x02\x01\xc6\x33\x64\x02\x9c\x40\x01\xbb")
	if ipv6 {
		msg = append(msg[:13], 0x21, 0, 0x3a, 0x20, 0x01)
		msg = append(msg, make([]byte, 29)...)
		msg = append(msg, 1, 0x9c, 0x40, 0x01, 0xbb)
		msg[31], msg[47] = 1, 2
	}
	return append(msg, "\xe7\x00\x13\x01\x00\x01\x00\x02\x00\x01\x00"+
		"\x03\x00\x08\x00\x00\x00\x00\x00\x00\x01\x02"...)
}

// accepted returns a relay, and the end that ktlsd's worker would have.
func accepted(t *testing.T) (net.Conn, *os.File) {
	t.Helper()
	l, w := queue(t)
	a, b := pair(t, syscall.SOCK_STREAM)
	must(t, syscall.Sendmsg(w, message(false), syscall.UnixRights(a), nil, 0))
	syscall.Close(a)
	c, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c, os.NewFile(uintptr(b), "worker")
}

// clean says how the worker's end was told of the end.
func clean(t *testing.T, worker *os.File) bool {
	t.Helper()
	peer, err := syscall.Getpeername(int(worker.Fd()))
	must(t, err)
	return len(peer.(*syscall.SockaddrUnix).Name) > 1 // not just "@"
}

func TestAddresses(t *testing.T) {
	l, w := queue(t)
	for i, want := range []string{"192.0.2.1:40000 198.51.100.2:443",
		"[2001::1]:40000 [::2]:443"} {
		a, b := pair(t, syscall.SOCK_STREAM)
		must(t, syscall.Sendmsg(w, message(i == 1), syscall.UnixRights(a), nil, 0))
		c, err := l.Accept()
		must(t, err)
		if got := c.RemoteAddr().String() + " " + c.LocalAddr().String(); got != want {
			t.Errorf("%s, not %s", got, want)
		}
		c.Close()
		syscall.Close(a)
		syscall.Close(b)
	}
}

func TestCleanEnd(t *testing.T) {
	c, worker := accepted(t)
	worker.WriteString("hello")
	must(t, syscall.Bind(int(worker.Fd()), &syscall.SockaddrUnix{}))
	must(t, worker.Close())
	got, err := io.ReadAll(c)
	must(t, err)
	if string(got) != "hello" {
		t.Error(string(got))
	}
}

func TestCutOff(t *testing.T) {
	c, worker := accepted(t)
	must(t, worker.Close())
	_, err := io.ReadAll(c)
	is(t, err, syscall.ECONNRESET)
}

func TestDeadline(t *testing.T) {
	c, worker := accepted(t)
	defer worker.Close()
	c.SetReadDeadline(time.Now().Add(soon))
	_, err := c.Read(make([]byte, 9))
	is(t, err, os.ErrDeadlineExceeded)
	if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
		t.Error("no net.Error")
	}
	c.SetReadDeadline(time.Time{})
	worker.WriteString("x")
	n, err := c.Read(make([]byte, 9))
	must(t, err)
	if n != 1 {
		t.Error(n)
	}
}

// Close tells of a clean end, and once only; a Read under way ends.
func TestClose(t *testing.T) {
	c, worker := accepted(t)
	defer worker.Close()
	ended := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 9))
		ended <- err
	}()
	time.Sleep(soon)
	must(t, c.Close())
	is(t, <-ended, net.ErrClosed)
	if !clean(t, worker) {
		t.Error("cut off")
	}
	is(t, c.Close(), net.ErrClosed)
	_, err := c.Write([]byte("x"))
	is(t, err, net.ErrClosed)
}

// A Write that waits for room is ended by room, one that failed cuts.
func TestWrite(t *testing.T) {
	c, worker := accepted(t)
	want := bytes.Repeat([]byte("x"), 1<<22)
	go func() {
		c.Write(want)
		c.Close()
	}()
	time.Sleep(soon)
	got, err := io.ReadAll(worker)
	must(t, err)
	if !bytes.Equal(got, want) || !clean(t, worker) {
		t.Error(len(got), clean(t, worker))
	}
	worker.Close()

	c, worker = accepted(t)
	defer worker.Close()
	c.SetWriteDeadline(time.Now().Add(soon))
	n, err := c.Write(want)
	is(t, err, os.ErrDeadlineExceeded)
	if n == len(want) {
		t.Error(n)
	}
	go io.Copy(io.Discard, worker)
	c.Close()
	if clean(t, worker) {
		t.Error("what was cut ends cleanly")
	}
}

func TestListenerClose(t *testing.T) {
	l, _ := queue(t)
	go func() {
		time.Sleep(soon)
		l.Close()
	}()
	_, err := l.Accept()
	is(t, err, net.ErrClosed)
	is(t, l.Close(), net.ErrClosed)
}

func TestQueueShutDown(t *testing.T) {
	l, w := queue(t)
	syscall.Shutdown(w, syscall.SHUT_RDWR)
	_, err := l.Accept()
	is(t, err, syscall.EPIPE)
}

// What is not ktlsd's is passed over, and its descriptors are closed.
func TestNonsense(t *testing.T) {
	l, w := queue(t)
	a, b := pair(t, syscall.SOCK_STREAM)
	must(t, syscall.Sendmsg(w, []byte("nonsense"), syscall.UnixRights(a), nil, 0))
	must(t, syscall.Sendmsg(w, message(false), syscall.UnixRights(a, a), nil, 0))
	syscall.Close(a)
	go func() {
		time.Sleep(soon)
		l.Close()
	}()
	_, err := l.Accept()
	is(t, err, net.ErrClosed)
	file := os.NewFile(uintptr(b), "")
	defer file.Close()
	n, err := file.Read(make([]byte, 1))
	if n != 0 || err != io.EOF {
		t.Error(n, err)
	}
}

func TestNoQueue(t *testing.T) {
	a, b := pair(t, syscall.SOCK_STREAM)
	defer syscall.Close(a)
	defer syscall.Close(b)
	_, err := listen(a, 0)
	is(t, err, syscall.EPROTOTYPE)
	t.Setenv("KTLS_HOLD_MS", "soon")
	if _, err = Inherit(); err == nil {
		t.Error("a time that is no number")
	}
}
