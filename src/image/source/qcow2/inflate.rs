//! Compressed clusters: raw deflate, or zstd. What is behind one in its sectors is another one's.

use flate2::{Decompress, FlushDecompress};
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};

/// How clusters are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Zlib,
    Zstd,
}

/// Fills a cluster.
///
/// # Errors
/// Damaged, or less than a cluster.
pub(super) fn cluster(compression: Compression, packed: &[u8], cluster: &mut [u8]) -> Result<(), String> {
    let filled = match compression {
        Compression::Zlib => {
            let mut inflate = Decompress::new(false);
            inflate
                .decompress(packed, cluster, FlushDecompress::Finish)
                .map_err(|error| error.to_string())?;
            inflate.total_out() as usize
        }
        Compression::Zstd => zstd(packed, cluster).map_err(|error| error.to_string())?,
    };
    if filled == cluster.len() { Ok(()) } else { Err(format!("it has {filled} bytes")) }
}

fn zstd(packed: &[u8], cluster: &mut [u8]) -> std::io::Result<usize> {
    let mut decoder = Decoder::new()?;
    let (mut input, mut output) = (InBuffer::around(packed), OutBuffer::around(cluster));
    loop {
        let before = (input.pos(), output.pos());
        decoder.run(&mut input, &mut output)?;
        if output.pos() == output.capacity() || (input.pos(), output.pos()) == before {
            return Ok(output.pos());
        }
    }
}
