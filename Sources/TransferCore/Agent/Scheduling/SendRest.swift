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
    /// The parts that a connection can finish within this time, the smallest rest first. The rate is in bytes per
    /// second; 0 means that it is unknown, and returns all parts.
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
