extension GatewayCourse {
    /// Hand-made sequences of events that open, resume, complete and drop uploads, as starting points of the search.
    static var seeds: [String: [UInt8]] {
        let greeting = bytes(.accept) + bytes(.hello, 0, 0)
        let opened = greeting + openParts + parts(1, 2, 3)
        let completed = bytes(.list, 0, 1, 0) + bytes(.complete, 0, 1, 0) + answers(3)
        let taken = bytes(.lose, 0) + greeting + bytes(.resume, 0, 2, 0, 0) + answers(1)
        let other = bytes(.accept) + bytes(.hello, 1, 1)
        return [
            "parts": opened + completed,
            "one-part": greeting + openOne + answers(1) + onePart + answers(1),
            "one-flight": greeting + openOne + onePart + answers(3),
            "resume": greeting + openParts + parts(1) + taken + offerTwo + completed,
            "list-resume": greeting + openParts + parts(1, 2) + bytes(.lose, 0) + greeting
                + bytes(.resume, 0, 1, 3, 0) + bytes(.list, 0, 1, 0) + answers(1) + completed,
            "lost": greeting + bytes(.resume, 0, 1, 0, 0xC1) + bytes(.answer, 0, 7, 0) + answers(1)
                + bytes(.time, 2) + answers(1) + bytes(.time, 2) + answers(1),
            "abort": opened + bytes(.abort, 0, 2, 0) + answers(4),
            "fenced": opened + bytes(.accept) + bytes(.hello, 1, 4) + bytes(.offer, 0, 1, 0),
            "two-devices": opened + other + bytes(.resume, 1, 1, 0, 0) + bytes(.abort, 1, 2, 0)
                + bytes(.open, 1, 3, 5, 0, 0, 1) + answers(5),
            "revoked": opened + bytes(.devices, 1) + answers(3),
            "drained": opened + bytes(.drain, 0xD0) + completed + bytes(.time, 4),
            "adopted": greeting + bytes(.open, 0, 1, 5, 0, 0, 2) + answers(1) + bytes(.answer, 0, 2, 0, 0x20, 0x21),
            "store-fails": opened + bytes(.list, 0, 1, 0) + bytes(.complete, 0, 1, 0) + answers(1)
                + bytes(.answer, 0, 10, 0) + answers(2),
            "raw": greeting + bytes(.rawFrame, 0, 12, 0x03, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
        ]
    }

    private static let openParts = bytes(.open, 0, 1, 5, 0, 0, 1) + answers(5)
    private static let openOne = bytes(.open, 0, 1, 2, 0, 0, 1)
    private static let onePart =
        bytes(.offer, 0, 1, 0) + chunks(part: 0, counts: [0, 0, 0, 4]) + bytes(.complete, 0, 1, 0)
    private static let offerTwo = bytes(.offer, 0, 2, 1) + answers(1)

    private static func bytes(_ event: Event, _ choices: UInt8...) -> [UInt8] {
        [event.rawValue] + choices
    }

    private static func answers(_ count: Int) -> [UInt8] {
        Array(repeating: Event.answerWell.rawValue, count: count)
    }

    /// The parts are of a file of 2,500 bytes.
    private static func parts(_ numbers: UInt8...) -> [UInt8] {
        numbers.flatMap { number in
            bytes(.offer, 0, 1, number - 1) + chunks(part: number - 1, counts: number == 3 ? [0, 6] : [0, 0, 0, 5])
                + answers(1)
        }
    }

    /// - Parameter counts: for each chunk, the index of its size in the list of chunk sizes.
    private static func chunks(part: UInt8, counts: [UInt8]) -> [UInt8] {
        zip([1, 3, 4, 5] as [UInt8], counts).flatMap { offset, count in
            bytes(.chunk, 0, 1, offset, count, part) + bytes(.payload, 0, 255) + bytes(.consume, 0, 64)
        }
    }
}
