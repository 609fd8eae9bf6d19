// SPDX-License-Identifier: MIT
//! HTTP in Rust, behind ktlsd, by libktls: rustc --edition 2021 server.rs -l ktls
//! ktls-run --queue PATH -- ./server
use std::io::{self, BufRead, BufReader, Read, Write};
use std::{ffi::c_void, mem, process::exit, ptr, thread, time::Duration};

#[repr(C)]
struct Conn([u64; 16]); // struct ktls_conn, and room for it to grow
extern "C" {
    fn poll(fds: *mut [i32; 2], n: u64, timeout_ms: i32) -> i32;
    fn ktls_queue_new(fd: i32, hold_ms: u32) -> *mut c_void;
    fn ktls_accept(q: *mut c_void, c: *mut Conn, info: *mut c_void, flags: i32) -> i32;
    fn ktls_recv(c: *mut Conn, buf: *mut u8, len: usize) -> isize;
    fn ktls_send(c: *mut Conn, buf: *const u8, len: usize, flags: i32) -> isize;
    fn ktls_close(c: *mut Conn);
}
fn result(n: isize) -> io::Result<usize> {
    usize::try_from(n).map_err(|_| io::Error::from_raw_os_error(-n as i32))
}
impl Read for Conn { // 0: the client has said that this is the end
    fn read(&mut self, b: &mut [u8]) -> io::Result<usize> {
        result(unsafe { ktls_recv(self, b.as_mut_ptr(), b.len()) })
    }
}
impl Write for Conn {
    fn write(&mut self, b: &[u8]) -> io::Result<usize> {
        result(unsafe { ktls_send(self, b.as_ptr(), b.len(), 0) })
    }
    fn flush(&mut self) -> io::Result<()> { Ok(()) }
}
impl Drop for Conn { // says close_notify
    fn drop(&mut self) { unsafe { ktls_close(self) } }
}
fn serve(c: Conn) -> io::Result<()> {
    let (mut c, mut line, mut size, mut wanted) = (BufReader::new(c), String::new(), 0, 0);
    while line != "\r\n" {
        line.clear();
        if c.read_line(&mut line)? == 0 { return Ok(()); }
        let words: Vec<&str> = line.split_whitespace().chain(["", ""]).collect();
        if words[0].to_lowercase() == "content-length:" { size = words[1].parse().unwrap_or(0); }
        if let Some(n) = words[1].strip_prefix("/bytes/") { wanted = n.parse().unwrap_or(0); }
    }
    let got = io::copy(&mut c.by_ref().take(size), &mut io::sink())?;
    let body = "x".repeat(wanted);
    write!(c.get_mut(), "HTTP/1.0 200 OK\r\n\r\n{body}got {got}\n")
}
fn main() {
    let hold = std::env::var("KTLS_HOLD_MS").ok().and_then(|s| s.parse().ok());
    let queue = unsafe { ktls_queue_new(3, hold.unwrap_or(0)) };
    loop {
        let mut c = Conn([0; 16]);
        unsafe { poll(&mut [3, 1], 1, -1) }; // until it can be read
        match unsafe { ktls_accept(queue, &mut c, ptr::null_mut(), 0o2000000) } {
            0 => drop(thread::spawn(|| serve(c).map_err(|e| eprintln!("ended: {e}")))),
            -32 => exit(1), // the queue was shut down
            _ => { mem::forget(c); thread::sleep(Duration::from_millis(1)) }
        }
    }
}
