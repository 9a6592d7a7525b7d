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
/// The demand does not depend on the phase of the connection: if a failure follows the delivery of bytes,
/// `channelReadComplete` is still fired after the failure.
package enum ReadDemand: Hashable, Sendable {
    case none
    case wanted
    /// Bytes were delivered, and `channelReadComplete` is still to follow.
    case answered
    /// As `answered`, and the handlers have asked again since.
    case answeredAndWanted

    package var isWanted: Bool { self == .wanted || self == .answeredAndWanted }

    package var isInBurst: Bool { self == .answered || self == .answeredAndWanted }

    /// A handler has called `read`.
    package mutating func requested() {
        self = isInBurst ? .answeredAndWanted : .wanted
    }

    /// Bytes are about to be fired.
    package mutating func delivered() {
        self = .answered
    }

    /// Ends a burst, if one is under way. The caller then fires `channelReadComplete`.
    ///
    /// - Returns: whether a burst was under way.
    package mutating func completeBurst() -> Bool {
        guard isInBurst else { return false }
        self = isWanted ? .wanted : .none
        return true
    }
}
