package import TransferCommon

/// How many parts an upload sends at once.
///
///     from       event                                                     to
///     unbounded  a connection is lost with a part on its way               bounded, to one part
///     bounded    a connection is lost with a part on its way               bounded, to one part
///     bounded    as many parts are stored as may be sent at once           bounded, to one part more
///     bounded    the same, and the bound reaches the concurrency           unbounded
///
/// If a connection is lost, the bytes of the parts on their way are lost too, unless the next connection reaches the
/// same gateway. Sending few parts at once then keeps the next loss small.
package struct SendWindow: Hashable, Sendable {
    private enum State: Hashable {
        case unbounded
        /// - storedCount: parts that were stored since the bound was set.
        case bounded(partsMax: Int, storedCount: Int)
    }

    private var state = State.unbounded
    /// Parts of which a gateway holds bytes. The window does not bound them: little of their data is left to send.
    package var known: Set<PartNumber> = []

    package init() {}

    /// The bound that the window sets; `nil` if it sets none.
    package var partsMax: Int? {
        if case .bounded(let partsMax, _) = state { partsMax } else { nil }
    }

    /// Whether a part may be offered. `sending` is the number of other parts of the upload that are being sent.
    package func admits(_ number: PartNumber, beside sending: Int) -> Bool {
        known.contains(number) || partsMax.map { sending < $0 } ?? true
    }

    /// Bounds the upload to one part at once, because a connection was lost while a part was being sent on it.
    package mutating func shrink() {
        state = .bounded(partsMax: 1, storedCount: 0)
        known = []
    }

    /// Forgets the known parts: another session begins, and no gateway holds bytes of it.
    package mutating func sessionBegins() { known = [] }

    /// Counts a stored part; raises the bound when enough are stored, up to `roomMax`, the agent's concurrency.
    package mutating func grow(roomMax: Int) {
        guard case .bounded(let parts, let count) = state else { return }
        if count + 1 < parts {
            state = .bounded(partsMax: parts, storedCount: count + 1)
        } else {
            state = parts + 1 < roomMax ? .bounded(partsMax: parts + 1, storedCount: 0) : .unbounded
        }
    }
}
