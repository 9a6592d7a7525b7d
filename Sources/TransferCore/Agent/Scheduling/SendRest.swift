/// A part that is being sent, with the bytes that its socket has not taken.
package struct SendRest: Hashable, Comparable, Sendable {
    /// The part that is being sent.
    package var part: UploadPart
    /// Bytes that the socket has not taken.
    package var bytes: UInt64

    /// - Parameter bytes: the number of bytes that the socket has not taken.
    package init(part: UploadPart, bytes: UInt64) {
        self.part = part
        self.bytes = bytes
    }

    package static func < (left: SendRest, right: SendRest) -> Bool {
        (left.bytes, left.part.upload, left.part.part) < (right.bytes, right.part.upload, right.part.part)
    }
}

extension [SendRest] {
    /// The parts that a connection can finish within a time, the smallest rest first.
    ///
    /// - Parameters:
    ///   - rate: bytes per second that the socket takes; 0 if the rate is unknown. With an unknown rate, all parts are
    ///     returned.
    ///   - seconds: how much time the connection has.
    package func finishable(rate: Double, within seconds: Double) -> [UploadPart] {
        var chosen: [UploadPart] = []
        var sum: UInt64 = 0
        for rest in sorted() {
            sum &+= rest.bytes
            guard rate == 0 || Double(sum) <= rate * seconds else { break }
            chosen.append(rest.part)
        }
        return chosen
    }
}
