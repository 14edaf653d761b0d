//! The faults of the model, one by one.

use super::super::faults::{after_cut, for_seeds};
use super::super::{MemoryDevice, Operation};
use super::*;

const SIZE: u64 = 16 * PAGE;
const ALWAYS: OneIn = OneIn(1);

fn disk(rates: Rates, seed: u64) -> MemoryDevice {
    MemoryDevice::new(vec![0; SIZE as usize]).with_cheap_zeroes().with_rates(rates, Dice::new(seed))
}

/// Of so many equal pieces, how many hold this byte; each is whole.
fn pieces(device: &MemoryDevice, length: u64, byte: u8) -> usize {
    let content = device.content();
    let pieces = content.chunks(length as usize);
    for piece in pieces.clone() {
        assert!(piece.iter().all(|other| *other == piece[0]), "a piece is torn");
    }
    pieces.filter(|piece| piece[0] == byte).count()
}

#[test]
fn a_power_cut_takes_sectors_that_were_not_flushed_and_no_others() {
    let mut some = 0;
    for_seeds(40, |dice| {
        let device =
            disk(Rates::NONE, 0).with_rates(Rates { stalls: OneIn(1000), ..Rates::NONE }, dice.clone());
        device.write_at(0, &[1; 8 * PAGE as usize]).unwrap();
        device.flush().unwrap();
        device.write_at(0, &vec![2; SIZE as usize]).unwrap();
        device.write_at(PAGE, &[2; 512]).unwrap();
        device.faults().cut_power();
        let (old, new) = (pieces(&device, 512, 1), pieces(&device, 512, 2));
        assert!(old <= 64 && pieces(&device, 512, 0) <= 64);
        some += u64::from(old > 0 && new > 0);
        let kept = device.content();
        device.flush().unwrap();
        device.faults().cut_power();
        assert_eq!(device.content(), kept);
    });
    assert!(some > 0);
}

#[test]
fn a_flush_that_failed_has_lost_a_part_for_good() {
    let mut lost = 0;
    let seeds = for_seeds(40, |dice| {
        let device = disk(Rates { flushes_fail: ALWAYS, ..Rates::NONE }, dice.next());
        device.write_at(0, &vec![1; SIZE as usize]).unwrap();
        assert!(device.flush().is_err());
        device.faults().calm(true);
        let left = device.content();
        device.flush().unwrap();
        assert_eq!(device.content(), left);
        lost += u64::from(pieces(&device, 512, 0) > 0);
    });
    assert!(lost * 2 > seeds, "{lost} of {seeds}");
}

#[test]
fn what_fails_is_torn_between_pages() {
    for_seeds(20, |dice| {
        let torn = Rates { writes_fail: ALWAYS, zeroes_fail: ALWAYS, ..Rates::NONE };
        let device = disk(torn, dice.next());
        assert!(device.write_at(0, &vec![1; SIZE as usize]).is_err());
        let written = pieces(&device, PAGE, 1);
        assert!(device.zero(0..SIZE).is_err());
        assert!(pieces(&device, PAGE, 1) <= written);
    });
}

#[test]
fn a_worn_page_is_mended_by_writing_it() {
    let device = disk(Rates { pages_wear: ALWAYS, ..Rates::NONE }, 1);
    device.write_at(PAGE, &[1; PAGE as usize]).unwrap();
    let mut buffer = [0; 1024];
    let error = device.read_at(PAGE - 512, &mut buffer).unwrap_err();
    assert_eq!(error.to_string(), format!("input/output error at byte {PAGE}"));
    device.read_at(0, &mut buffer).unwrap();
    device.faults().calm(true);
    assert!(device.read_at(PAGE, &mut buffer).is_err(), "calm mends nothing");
    device.write_at(PAGE + 512, &[2; 512]).unwrap();
    device.read_at(PAGE, &mut buffer).unwrap();
}

#[test]
fn silent_faults_change_one_bit_nothing_or_another_place() {
    let (mut strayed, bytes) = (0, [0xff; 512]);
    for_seeds(20, |dice| {
        let flipped = disk(Rates { bits_flip: ALWAYS, ..Rates::NONE }, dice.next());
        flipped.write_at(1024, &bytes).unwrap();
        let ones: u32 = flipped.content().iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(ones, 8 * 512 - 1);

        let lost = disk(Rates { writes_vanish: ALWAYS, ..Rates::NONE }, dice.next());
        lost.write_at(1024, &bytes).unwrap();
        assert!(lost.content().iter().all(|byte| *byte == 0) && lost.operations().is_empty());

        let stray = disk(Rates { writes_stray: ALWAYS, ..Rates::NONE }, dice.next());
        stray.write_at(1024, &bytes).unwrap();
        let at = stray.content().iter().position(|byte| *byte == 0xff).unwrap();
        assert_eq!((at % PAGE as usize, stray.content()[at..at + 512] == bytes), (1024, true));
        strayed += u64::from(at != 1024);
    });
    assert!(strayed > 0);
}

#[test]
fn a_disk_that_is_gone_does_nothing_more_and_a_flush_fails_once() {
    let device = disk(Rates::NONE, 0).with_fault(Fault::Gone { after: 2 });
    device.write_at(0, &[1; 512]).unwrap();
    device.flush().unwrap();
    for _ in 0..2 {
        assert!(device.write_at(0, &[2; 512]).is_err() && device.read_at(0, &mut [0; 512]).is_err());
        assert!(device.flush().is_err() && device.zero(0..512).is_err());
    }
    assert_eq!(device.content()[..512], [1; 512]);

    let device = disk(Rates::NONE, 0).with_fault(Fault::Flush(1));
    let flushed: Vec<_> = (0..3).map(|_| device.flush().is_ok()).collect();
    assert_eq!(flushed, [true, false, true]);
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = |seed| {
        let device = disk(Rates { bits_flip: OneIn(4), reads_fail: OneIn(3), ..Rates::LOUD }, seed);
        for at in (0..SIZE).step_by(512).cycle().take(300) {
            let _ = device.write_at(at, &[at as u8; 512]);
            let _ = device.read_at(at, &mut [0; 512]);
            let _ = device.flush();
        }
        (device.faults().struck(), device.content())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
    assert!(run(7).0.len() > 20);
}

#[test]
fn a_recorded_power_cut_keeps_what_was_flushed_and_pieces_of_the_rest() {
    let operations = [
        Operation::Write { offset: 0, bytes: vec![1; PAGE as usize] },
        Operation::Flush,
        Operation::Write { offset: 0, bytes: vec![2; 2 * PAGE as usize] },
        Operation::Zero { offset: 0, length: PAGE },
        Operation::Flush,
    ];
    let mut seen = std::collections::BTreeSet::new();
    for_seeds(60, |dice| {
        assert_eq!(after_cut(vec![9; 8192], &operations, 2, 512, dice)[..4096], [1; 4096]);
        assert_eq!(after_cut(vec![9; 8192], &operations, 5, 512, dice)[..4096], [0; 4096]);
        let state = after_cut(vec![9; 8192], &operations, 4, 512, dice);
        assert!(state.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        seen.extend(state.chunks(512).enumerate().map(|(at, sector)| (at < 8, sector[0])));
    });
    // the old, the first and the second of two writes without a flush between them; elsewhere no zeroes
    let all = [(false, 2), (false, 9), (true, 0), (true, 1), (true, 2)];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}
