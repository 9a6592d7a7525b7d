package import TransferCommon

/// The calls that may still store a part of a session although the gateway has given the part up or has no answer.
///
/// A call without an answer may take effect at any later time. So after such a call nothing shows that a part can no
/// longer arrive, and the session's record stays for the store's cleaning.
package struct LateParts: Hashable, Sendable {
    /// The calls of parts that were given up, with the digest of the part that each carries.
    private var givenUp: [StoreRequestID: SHA256Digest] = [:]
    private var hasLostCall = false

    /// A session without parts.
    package init() {}

    /// Whether a call that was given up has no answer yet.
    package var mayLand: Bool { !givenUp.isEmpty }
    /// Whether a part may still arrive at the store after the upload was dropped.
    package var mayArrive: Bool { mayLand || hasLostCall }

    /// A part is given up after its decision.
    package mutating func gaveUp(_ call: StoreRequestID, digest: SHA256Digest) {
        givenUp[call] = digest
    }

    /// The call of a part has ended.
    package mutating func ended(_ answer: StoreAnswer) {
        if case .failed(let error) = answer, error.isLoss { hasLostCall = true }
    }

    /// The store has answered a request.
    ///
    /// - Returns: the digest of the part, if the request was the call of a part that was given up.
    package mutating func answered(_ request: StoreRequestID, _ answer: StoreAnswer) -> SHA256Digest? {
        guard !givenUp.isEmpty, let digest = givenUp.removeValue(forKey: request) else { return nil }
        ended(answer)
        return digest
    }
}
