package import TransferCommon
import WireProtocol

/// The gateway's keys that an agent has pinned (specification §5.1): those that are durable, and those that are to be.
///
/// One list is written at a time, because a later list must not be overtaken by an earlier one. Only durable pins are
/// named in HELLO: the operator of the site relies on them.
package struct SitePins: Hashable, Sendable {
    /// The one added first stands first. Empty where the agent pins nothing, because it follows an authority or speaks
    /// plain TCP; then it never gets any.
    package private(set) var durable: [SHA256Digest]
    /// The list that is being written.
    private var beingWritten: [SHA256Digest]?
    /// Keys that came while a list was being written, with the key that the gateway had proved then.
    private var waiting: [Wish] = []

    private struct Wish: Hashable {
        var key: SHA256Digest
        var proved: SHA256Digest?
    }

    package init(durable: [SHA256Digest]) {
        self.durable = durable
    }

    /// A key is to be pinned.
    ///
    /// - Parameter proved: the key that the gateway proved on this connection. It never gives way: without it the agent
    ///   could not connect again.
    /// - Returns: the list to be written now; `nil` where nothing is to be written, or not yet.
    package mutating func add(_ key: SHA256Digest, whileProved proved: SHA256Digest?) -> [SHA256Digest]? {
        guard !durable.isEmpty, !durable.contains(key), beingWritten?.contains(key) != true else { return nil }
        guard beingWritten == nil else {
            let wish = Wish(key: key, proved: proved)
            // A gateway announces one key at a time: more than this many say nothing.
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

    /// The list that was to be written is durable, or could not be written; then the pins are what they were.
    ///
    /// - Returns: the next list to be written.
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
