import TransferCommon
import WireProtocol

/// A violation of the protocol by an agent; it ends the connection.
struct Violation: Error, Hashable {
    let code: ErrorCode
    /// What is wrong, in words for a person.
    let message: String

    /// Data that do not continue their part, or that exceed the credit of the part.
    static func data(_ header: PartDataHeader, _ code: ErrorCode, _ reason: String) -> Violation {
        Violation(
            code: code,
            message: "PART DATA of part \(header.part.value) at \(header.offset), \(header.plainBytes) bytes: \(reason)"
        )
    }

    /// An offer that does not fit the session.
    static func offer(_ offer: PartOffer, _ reason: String) -> Violation {
        let last = offer.isLast ? ", the last" : ""
        let named = "PART OFFER of part \(offer.part.value), \(offer.size) bytes\(last)"
        return Violation(code: .partSizeWrong, message: "\(named): \(reason)")
    }
}
