// SPDX-License-Identifier: MIT

// Package ktls gives Go servers the connections of ktlsd, by libktls: a
// net.Listener takes them out of the queue that ktls-run(1) passes on.
package ktls

// #cgo LDFLAGS: -lktls
// #include <errno.h>
// #include <ktls.h>
// #include <poll.h>
import "C"
import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

// A Listener is a net.Listener whose connections are each a *Conn.
type Listener struct {
	fd    int
	mutex sync.Mutex // of queue, which is nil once closed
	queue *C.struct_ktls_queue
	once  sync.Once
	ended *os.File // its other end hangs up when Accept is to return
	wake  *os.File
}

// Inherit returns the queue that ktls-run(1) has passed on as descriptor 3,
// which is the Listener's from then on. Connections that have waited there for
// longer than KTLS_HOLD_MS says are closed. To be called once.
func Inherit() (*Listener, error) {
	hold := uint64(0)
	if text := os.Getenv("KTLS_HOLD_MS"); text != "" {
		var err error
		if hold, err = strconv.ParseUint(text, 10, 32); err != nil {
			return nil, fmt.Errorf("KTLS_HOLD_MS: %w", err)
		}
	}
	l, err := listen(3, uint(hold))
	if err != nil {
		return nil, fmt.Errorf("no queue at descriptor 3, see ktls-run(1): %w", err)
	}
	return l, nil
}

// listen takes over fd, a queue's read end, if it succeeds.
func listen(fd int, holdMS uint) (*Listener, error) {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err == nil && kind != syscall.SOCK_SEQPACKET {
		err = syscall.EPROTOTYPE
	}
	if err != nil {
		return nil, err
	}
	l := &Listener{fd: fd}
	if l.ended, l.wake, err = os.Pipe(); err != nil {
		return nil, err
	}
	if l.queue, err = C.ktls_queue_new(C.int(fd), C.uint(holdMS)); l.queue == nil {
		l.ended.Close()
		l.wake.Close()
		return nil, err
	}
	syscall.CloseOnExec(fd)
	return l, nil
}

// Accept waits for a connection. Its error is net.ErrClosed after Close,
// syscall.EPIPE when the queue was shut down; it is temporary, and no
// connection was lost, when descriptors are short.
func (l *Listener) Accept() (net.Conn, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for l.wait() {
		c, info := &Conn{}, C.struct_ktls_info{}
		rc := C.ktls_accept(l.queue, &c.ktls, &info, C.SOCK_CLOEXEC|C.SOCK_NONBLOCK)
		switch rc {
		case 0:
			c.open(&info)
			return c, nil
		case -C.EAGAIN, -C.EPROTO, -C.ECONNABORTED, -C.ENOMEM:
			// Another one took it, or it was no connection, or is none now.
		default:
			return nil, l.failed(syscall.Errno(-rc))
		}
	}
	return nil, l.failed(net.ErrClosed)
}

func (l *Listener) failed(err error) error {
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: err}
}

// wait returns when the queue can be read, or false: the Listener was closed.
// It takes a thread, not Go's poller: that would set O_NONBLOCK, which all who
// read the queue share.
func (l *Listener) wait() bool {
	if l.queue == nil {
		return false
	}
	p := [2]C.struct_pollfd{
		{fd: C.int(l.fd), events: C.POLLIN},
		{fd: C.int(l.ended.Fd())},
	}
	C.poll(&p[0], 2, -1)
	return p[1].revents == 0
}

// Close makes Accept return and leaves the queue to other consumers. What was
// accepted stays open. It does not end the registration, which is ktls-run's.
func (l *Listener) Close() error {
	err := l.failed(net.ErrClosed)
	l.once.Do(func() {
		l.wake.Close()
		l.mutex.Lock()
		defer l.mutex.Unlock()
		C.ktls_queue_free(l.queue)
		l.queue = nil
		l.ended.Close()
		err = syscall.Close(l.fd)
	})
	return err
}

// Addr is of no address: ktlsd listens, at several perhaps. Conn.LocalAddr has
// the one that a client came to.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{} }

// address is of no IP where the client has none, that of a Unix socket.
func address(s *C.struct_sockaddr_storage) net.Addr {
	b := (*[24]byte)(unsafe.Pointer(s)) // port and address as in network order
	port := int(b[2])<<8 | int(b[3])
	switch s.ss_family {
	case C.AF_INET:
		return &net.TCPAddr{IP: append(net.IP{}, b[4:8]...), Port: port}
	case C.AF_INET6:
		return &net.TCPAddr{IP: append(net.IP{}, b[8:24]...), Port: port}
	}
	return &net.TCPAddr{}
}
