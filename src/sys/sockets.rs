//! What the kernel is told about TCP connections, and what it tells of them. No policy: who is too slow is judged by `serve`.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

/// Silence after which the other side is asked whether it is there; it may miss three questions.
const IDLE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(10);
const QUESTIONS: u32 = 3;
/// Milliseconds that what was sent may stay unconfirmed: a machine that lost its power holds nothing for longer.
const UNCONFIRMED: u32 = 90_000;

/// Ends a connection whose other side is gone (tcp(7): keepalive, `TCP_USER_TIMEOUT`).
///
/// # Errors
/// When it isn't a TCP socket.
pub fn end_when_peer_is_gone(socket: impl AsFd) -> io::Result<()> {
    let socket = socket.as_fd();
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, IDLE)?;
    sockopt::set_tcp_keepintvl(socket, PAUSE)?;
    sockopt::set_tcp_keepcnt(socket, QUESTIONS)?;
    sockopt::set_tcp_user_timeout(socket, UNCONFIRMED)?;
    Ok(())
}

/// Sends bytes of a file from `at` on, without copying them through this process; returns how many went out.
///
/// # Errors
/// `WouldBlock` when the socket takes no more; `UnexpectedEof` when the file ends there.
pub fn send_file(socket: impl AsFd, file: impl AsFd, at: &mut u64, count: usize) -> io::Result<usize> {
    match rustix::fs::sendfile(socket, file, Some(at), count)? {
        0 if count > 0 => Err(io::ErrorKind::UnexpectedEof.into()),
        sent => Ok(sent),
    }
}

/// Bytes that were handed to the kernel and not yet confirmed by the other side (tcp(7): `SIOCOUTQ`).
///
/// # Errors
/// When it isn't a TCP socket.
#[allow(unsafe_code, reason = "rustix has no function for this request")]
pub fn unconfirmed(socket: impl AsFd) -> io::Result<u64> {
    // SAFETY: SIOCOUTQ has the number of TIOCOUTQ and writes one C int, which is what this getter has room for.
    let count = unsafe {
        let request =
            rustix::ioctl::Getter::<{ libc::TIOCOUTQ as rustix::ioctl::Opcode }, libc::c_int>::new();
        rustix::ioctl::ioctl(socket, request)?
    };
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Makes the close of a socket an abort: what the other side didn't take is dropped at once.
///
/// # Errors
/// When it isn't a TCP socket.
pub fn abort_at_close(socket: impl AsFd) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(socket, Some(Duration::ZERO))?)
}

/// Lets this process open as many files as it may; returns how many that are.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const UNLIMITED: u64 = 1 << 20;
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    now.unwrap_or(UNLIMITED)
}
