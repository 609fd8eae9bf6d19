// SPDX-License-Identifier: MIT

package main

import (
	"io"
	"net"
	. "syscall"
)

// A conn is a TCP connection in kTLS, or a relay: a Unix socket.
type conn struct {
	net.Conn
	peer net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.peer }

// Read gives io.EOF only when the client has said that this is the end.
func (c conn) Read(b []byte) (n int, err error) {
	raw, _ := c.Conn.(Conn).SyscallConn()
	oob, oobn, kind, named := make([]byte, 64), 0, byte(23), false
	late := raw.Read(func(fd uintptr) bool {
		n, oobn, _, _, err = Recvmsg(int(fd), b, oob, 0)
		if oobn > CmsgLen(0) {
			kind = oob[CmsgLen(0)] // of the TLS record
		}
		peer, _ := Getpeername(int(fd))
		relay, ok := peer.(*SockaddrUnix)
		named = ok && len(relay.Name) > 1 // not just "@"
		return err != EAGAIN
	})
	switch {
	case late != nil: // a deadline
		return 0, late
	case err != nil:
		return 0, err
	case n > 0 && kind == 23:
		return n, nil
	case n > 0 && b[n-1] == 0 || n == 0 && named: // close_notify
		return 0, io.EOF
	case n == 1: // half an alert, into a buffer of one byte
		return c.Read(b)
	}
	return 0, ECONNRESET // cut off
}

func (c conn) Close() error { // says close_notify first
	// A control message of 17 bytes: SOL_TLS, TLS_SET_RECORD_TYPE, alert.
	oob := []byte{17, 0, 0, 0, 0, 0, 0, 0, 26, 1, 0, 0, 1, 0, 0, 0, 21, 23: 0}
	raw, _ := c.Conn.(Conn).SyscallConn()
	raw.Write(func(fd uintptr) bool {
		if _, relay := c.Conn.(*net.UnixConn); relay {
			return Bind(int(fd), &SockaddrUnix{}) != EAGAIN
		}
		return Sendmsg(int(fd), []byte{1, 0}, oob, nil, MSG_NOSIGNAL) != EAGAIN
	})
	return c.Conn.Close()
}
