//! Links, addresses, routes, and sockets that stay on one link. IPv4.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use futures_util::Future;
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};

fn with_netlink<F: Future<Output = Result<(), rtnetlink::Error>>>(
    work: impl FnOnce(Handle) -> F,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime of netlink")?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().context("opening netlink")?;
        tokio::spawn(connection);
        Ok(work(handle).await?)
    })
}

/// Takes a link up. Its index is in `/sys/class/net/<name>/ifindex`.
///
/// # Errors
/// No such link.
pub fn link_up(index: u32) -> Result<()> {
    with_netlink(|handle| async move {
        handle.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await
    })
    .context("taking the link up")
}

/// Gives a link an address; one that it has already is no error.
///
/// # Errors
/// No such link.
pub fn add_address(index: u32, address: ipnet::Ipv4Net) -> Result<()> {
    with_netlink(|handle| async move {
        handle.address().add(index, address.addr().into(), address.prefix_len()).replace().execute().await
    })
    .with_context(|| format!("setting address {address}"))
}

/// Sends all that isn't local through this gateway.
///
/// # Errors
/// The gateway isn't on the link.
pub fn default_route(index: u32, gateway: Ipv4Addr) -> Result<()> {
    with_netlink(|handle| async move {
        let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).output_interface(index).build();
        handle.route().add(route).replace().execute().await
    })
    .with_context(|| format!("setting the gateway {gateway}"))
}

/// A broadcasting UDP socket that sends and receives on this link only, whatever addresses it has.
///
/// # Errors
/// The port is taken; no such link.
#[allow(unsafe_code, reason = "SO_BINDTODEVICE has no safe form in std or rustix")]
pub fn broadcast_socket(link: &str, port: u16) -> io::Result<UdpSocket> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_broadcast(&socket, true)?;
    // SAFETY: the descriptor is open, and the pointer and length describe the bytes of `link`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            link.as_ptr().cast(),
            link.len() as libc::socklen_t,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    bind(&socket, &std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
    Ok(UdpSocket::from(socket))
}
