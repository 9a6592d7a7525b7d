/// Whether the handlers behind a TLS handler have asked to read, and whether `channelReadComplete` is still to follow a
/// burst of bytes.
///
///     from               event                      to
///     none               they ask to read           wanted
///     none               bytes are delivered        answered
///     wanted             bytes are delivered        answered
///     answered           they ask to read           answeredAndWanted
///     answered           the burst is complete      none
///     answeredAndWanted  bytes are delivered        answered
///     answeredAndWanted  the burst is complete      wanted
///
/// This state is not part of a connection's phase, because it must survive a change of phase. If the connection fails
/// in the middle of a burst, `channelReadComplete` still follows.
package enum ReadDemand: Hashable, Sendable {
    case none
    case wanted
    /// Bytes were delivered, and `channelReadComplete` is still to follow.
    case answered
    /// Bytes were delivered, `channelReadComplete` is still to follow, and the handlers have already asked to read
    /// again.
    case answeredAndWanted

    package var isWanted: Bool { self == .wanted || self == .answeredAndWanted }

    package var isInBurst: Bool { self == .answered || self == .answeredAndWanted }

    /// Records that a handler behind the TLS handler has asked to read.
    package mutating func requested() {
        self = isInBurst ? .answeredAndWanted : .wanted
    }

    /// Records that bytes are passed to the next handler, which answers the request to read.
    package mutating func delivered() {
        self = .answered
    }

    /// Ends a burst, if there is one.
    ///
    /// - Returns: whether there was a burst, so that the caller has to fire `channelReadComplete`.
    package mutating func completeBurst() -> Bool {
        guard isInBurst else { return false }
        self = isWanted ? .wanted : .none
        return true
    }
}
