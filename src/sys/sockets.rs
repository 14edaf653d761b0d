//! What the kernel is told about TCP connections.

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
