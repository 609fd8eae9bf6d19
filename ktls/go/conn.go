// SPDX-License-Identifier: MIT

package ktls

// #include <ktls.h>
import "C"
import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// How long Close waits for room to say close_notify.
const closeTimeout = 5 * time.Second

// A Conn is a net.Conn, in kTLS or relayed by ktlsd. Its methods may be called
// by several goroutines. Key changes are followed (see rekey, ktlsd.conf(5)).
type Conn struct {
	file        *os.File // owns the descriptor, keeps deadlines
	raw         syscall.RawConn
	local, peer net.Addr

	mutex  sync.Mutex // of what follows: reader and writer are two threads
	ktls   C.struct_ktls_conn
	cut    bool // a Write was, so the end will not be a clean one
	closed bool
}

// open makes c, which ktls_accept() has filled, one that Go waits for.
func (c *Conn) open(info *C.struct_ktls_info) {
	c.file = os.NewFile(uintptr(c.ktls.fd), "")
	c.raw, _ = c.file.SyscallConn()
	c.local, c.peer = address(&info.local), address(&info.peer)
}

// do calls f, with c locked, whenever wait finds c ready, until f returns
// something else than -EAGAIN: a count or -errno.
func (c *Conn) do(op string, wait func(func(uintptr) bool) error, f func() int) (n int, err error) {
	err = wait(func(uintptr) bool {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		n = -int(syscall.EINTR)
		for n == -int(syscall.EINTR) && !c.closed {
			n = f()
		}
		return n != -int(syscall.EAGAIN)
	})
	if err == nil && n >= 0 {
		return n, nil
	}
	if err == nil {
		err = syscall.Errno(-n)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed {
		err = net.ErrClosed
	}
	return 0, &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.peer, Err: err}
}

// Read gives io.EOF after the client's close_notify only: a connection that
// was cut off ends with syscall.ECONNRESET.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := c.do("read", c.raw.Read, func() int {
		return int(C.ktls_recv(&c.ktls, unsafe.Pointer(&b[0]), C.size_t(len(b))))
	})
	if err == nil && n == 0 {
		err = io.EOF
	}
	return n, err
}

// Write sends all of b. After an error the client is not told of a clean end.
func (c *Conn) Write(b []byte) (n int, err error) {
	_, err = c.do("write", c.raw.Write, func() int {
		for n < len(b) {
			sent := int(C.ktls_send(&c.ktls, unsafe.Pointer(&b[n]), C.size_t(len(b)-n), 0))
			if sent < 0 {
				return sent
			}
			n += sent
		}
		return n
	})
	if err != nil {
		c.mutex.Lock()
		c.cut = true
		c.mutex.Unlock()
	}
	return n, err
}

// CloseWrite says close_notify. It waits for a Write under way, and for room.
func (c *Conn) CloseWrite() error {
	_, err := c.do("close", c.raw.Write, func() int {
		if c.cut {
			return -int(syscall.EPIPE)
		}
		return int(C.ktls_shutdown(&c.ktls))
	})
	return err
}

// Close says close_notify, if that has not been done. It waits for a Write and
// for room, 5 seconds at most; the connection is cut off then. A Read ends.
func (c *Conn) Close() error {
	c.file.SetWriteDeadline(time.Now().Add(closeTimeout))
	err := c.CloseWrite()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.closed {
		c.closed = true
		C.ktls_release(&c.ktls) // but for the descriptor, which is file's
		c.file.Close()
	}
	return err
}

// LocalAddr is where the client connected to.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the TLS client, of a relay too.
func (c *Conn) RemoteAddr() net.Addr { return c.peer }

// SetDeadline is as net.Conn has it, and so are the others.
func (c *Conn) SetDeadline(t time.Time) error { return c.file.SetDeadline(t) }

// SetReadDeadline is for Read.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.file.SetReadDeadline(t) }

// SetWriteDeadline is for Write and CloseWrite; Close sets one.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.file.SetWriteDeadline(t) }
