//! Whether an order holds now.

use crate::spec::Code;
use crate::spec::order::InstallOrder;
use crate::spec::plan::Refusal;
use crate::value::Timestamp;

/// `not_after` is judged against the later of clock and floor. `not_before` only against a clock that can be believed, one
/// that isn't before the floor: with a clock known to be wrong, the generation guards against old media.
pub(super) fn check_validity(
    order: &InstallOrder,
    floor: Timestamp,
    clock: Timestamp,
) -> Result<(), Refusal> {
    let now = clock.max(floor);
    let how = if clock < floor {
        format!("the machine's clock says {clock}, which is before the bundle was made; taken as {floor}")
    } else {
        format!("the machine's clock says {clock}")
    };
    if order.not_after < now {
        let message = format!("order {} of {} ended at {}; {how}", order.id, order.host, order.not_after);
        return Err(Refusal::new(Code::OrderExpired, message));
    }
    if clock >= floor && clock < order.not_before {
        let message = format!("order {} of {} begins at {}; {how}", order.id, order.host, order.not_before);
        return Err(Refusal::new(Code::OrderExpired, message));
    }
    Ok(())
}
