import CommandSupport
import TransferCore

/// One thing that doctor has found out.
package struct DoctorFinding: Equatable, Sendable {
    /// What was examined.
    package enum Subject: String, CaseIterable, Sendable {
        case home, device, journal, interface, gateway, welcome, clock, pins, store, sending
    }

    package let subject: Subject
    /// Whether a push finds what it needs here.
    package let isFine: Bool
    /// What was found, for people.
    package let text: String
    var unfinished: Int?
    var interface: String?
    var address: String?
    var roundTrip: Duration?
    var software: String?
    var version: Int?
    /// By how much this machine's clock is ahead of the gateway's; negative if it is behind.
    var clockAhead: Duration?

    package init(_ subject: Subject, isFine: Bool = true, _ text: String) {
        self.subject = subject
        self.isFine = isFine
        self.text = text
    }

    /// The finding as a line for people.
    package var line: String {
        let word = subject.rawValue
        return word + String(repeating: " ", count: max(10 - word.utf8.count, 1)) + text
    }

    var object: JSONObject<FindingFields> {
        JSONObject([
            .subject: .string(subject.rawValue), .isFine: .boolean(isFine), .text: .string(text),
            .unfinished: unfinished.map { .count($0) }, .interface: interface.map { .string($0) },
            .address: address.map { .string($0) }, .roundTrip: roundTrip.map { .seconds($0) },
            .software: software.map { .string($0) }, .version: version.map { .count($0) },
            .clockAhead: clockAhead.map { .seconds($0) },
        ])
    }
}

/// A finding of doctor.
enum FindingFields: String, JSONFields {
    case subject
    case isFine = "ok"
    case text, unfinished, interface, address
    case roundTrip = "round_trip_seconds"
    case software
    case version = "protocol_version"
    case clockAhead = "clock_ahead_seconds"

    static let event = "finding"
    static let meaning = "Something that a push needs, in the order in which a push needs it."

    var declaration: JSONField {
        switch self {
        case .subject: .always(.word(DoctorFinding.Subject.allCases.map(\.rawValue)), "what was examined")
        case .isFine: .always(.boolean, "whether a push finds what it needs here")
        case .text: .always(.string, "what was found, for people")
        case .unfinished: .only("`subject` is `journal`", .integer, "unfinished uploads")
        case .interface: .only("interfaces were named", .string, "the network interface")
        case .address: .only("a gateway was reached", .string, "its address")
        case .roundTrip: .only("the system knows it", .seconds, "how long a packet takes to the gateway and back")
        case .software: .only("`subject` is `welcome`", .string, "name and version of the gateway's program")
        case .version: .only("`subject` is `welcome`", .integer, "the version of the protocol")
        case .clockAhead:
            .only(
                "`subject` is `clock`", .seconds,
                "by how much this machine's clock is ahead of the gateway's; negative if it is behind")
        }
    }
}

/// The result of doctor.
enum DoctorSummaryFields: String, JSONFields {
    case isFine = "ok"
    case outcome, message

    static let event = "summary"
    static let meaning = "The result. This is the last line."

    var declaration: JSONField {
        switch self {
        case .isFine: .always(.boolean, "whether a push would find all that it needs")
        case .outcome:
            .only("a push would fail and its outcome is known", .word(UploadFailure.Kind.words), "its outcome")
        case .message: .only("a push would fail", .string, "the cause and what to do, for people")
        }
    }
}

extension JSONObject<DoctorSummaryFields> {
    /// The result after an error, with which a push would have ended; `nil` if there was none.
    init(_ error: (any Error)?, sentence: String?) {
        self.init([
            .isFine: .boolean(error == nil),
            .outcome: (error as? UploadFailure).map { .string($0.kind.rawValue) },
            .message: sentence.map { .string($0) },
        ])
    }
}
