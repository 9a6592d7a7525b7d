package import TransferCommon
import WireProtocol

/// The gateway's keys that an agent has pinned (specification §5.1): those that are durable, and those that are still
/// to be written.
///
/// One list is written at a time, because an earlier list must not overwrite a later one. HELLO names only durable
/// pins, because the operator of the site relies on them.
package struct SitePins: Hashable, Sendable {
    /// The durable pins, oldest first. Empty, and never added to, with a certificate authority or plain TCP.
    package private(set) var durable: [SHA256Digest]
    private var beingWritten: [SHA256Digest]?
    /// Keys that arrived while a list was being written.
    private var waiting: [Wish] = []

    private struct Wish: Hashable {
        var key: SHA256Digest
        var proved: SHA256Digest?
    }

    package init(durable: [SHA256Digest]) {
        self.durable = durable
    }

    /// Pins a key.
    ///
    /// - Parameter proved: the key that the gateway proved on this connection. It is never removed: without it the
    ///   agent could not connect again.
    /// - Returns: the list to be written now; `nil` if nothing is to be written, or not yet.
    package mutating func add(_ key: SHA256Digest, whileProved proved: SHA256Digest?) -> [SHA256Digest]? {
        guard !durable.isEmpty, !durable.contains(key), beingWritten?.contains(key) != true else { return nil }
        guard beingWritten == nil else {
            let wish = Wish(key: key, proved: proved)
            // A gateway announces one key at a time. If more than `pinsMax` keys arrive while one list is being
            // written, the gateway is faulty or malicious, so the agent ignores the rest.
            if !waiting.contains(wish), waiting.count < WireLimits.pinsMax { waiting.append(wish) }
            return nil
        }
        var list = durable + [key]
        while list.count > WireLimits.pinsMax, let first = list.firstIndex(where: { $0 != proved }) {
            list.remove(at: first)
        }
        beingWritten = list
        return list
    }

    /// Ends the write of a list, which changes the pins if it is durable. Returns the next list to be written, if any.
    package mutating func written(_ isDurable: Bool) -> [SHA256Digest]? {
        if isDurable, let beingWritten { durable = beingWritten }
        beingWritten = nil
        while !waiting.isEmpty {
            let wish = waiting.removeFirst()
            if let list = add(wish.key, whileProved: wish.proved) { return list }
        }
        return nil
    }
}
