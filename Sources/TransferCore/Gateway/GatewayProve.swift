import TransferCommon
import WireProtocol

// One PROVE at the gateway: whether the store holds a file's content under a key (specification §9.6).
//
//   from        event                                           to
//   lookingUp   no object, another size, or verified evidence   answered
//   lookingUp   nothing tells the content, bit 0 is set         reading (it waits for its turn, then is read)
//   lookingUp   nothing tells the content, bit 0 is not set     answered (unknown)
//   reading     the object was read, or is gone                 answered
//   either      the store fails                                 answered (SESSION REFUSED)
//   either      SESSION LEAVE, or the connection ends           ended without an answer
//
// Evidence is what the store has compared with the bytes, or the bytes themselves. Metadata and MD5s are not looked at.
struct GatewayProve: Hashable {
    enum Phase: Hashable {
        case lookingUp(StoreRequestID)
        case reading
    }

    /// What the machine does next.
    enum Step: Hashable {
        case answer(Outcome, ProvenObject?)
        case readBack(size: UInt64)
    }

    enum Outcome: Hashable {
        case proven, absent, different, unknown
    }

    let question: Prove
    /// Whole, prefix included.
    let key: String
    let plan: PartPlan
    let device: AuthorisedDevice
    var phase: Phase

    /// Judges the object under the key by what is known of it so far.
    func judge(_ object: ObjectFacts?, rootDigest: ([SHA256Digest]) -> SHA256Digest?) -> Step {
        guard let object else { return .answer(.absent, nil) }
        let told = ProvenObject(
            size: object.size, evidence: object.isVerified ? object.evidence : .none,
            partBytes: object.isVerified ? object.partBytes : 0, etag: object.etag, version: object.version,
            session: object.session)
        guard object.size == question.size else { return .answer(.different, told) }
        if let agrees = agreement(with: object, rootDigest) { return .answer(agrees ? .proven : .different, told) }
        guard question.readsBack, phase != .reading else { return .answer(.unknown, told) }
        return .readBack(size: object.size)
    }

    /// Whether evidence of an object of the file's size agrees with the root digest; `nil` where it settles nothing.
    private func agreement(
        with object: ObjectFacts, _ rootDigest: ([SHA256Digest]) -> SHA256Digest?
    ) -> Bool? {
        guard object.isVerified else { return nil }
        switch object.evidence {
        case .root(let root):
            // A file of one part has the same root digest by every part size that holds it.
            let isOnePart = plan.isOnePart && object.partBytes >= question.size
            return object.partBytes == question.partBytes || isOnePart ? root == question.root : nil
        case .wholeDigest(let digest):
            return plan.isOnePart ? rootDigest([digest]).map { $0 == question.root } : nil
        case .compositeMD5, .none:
            return nil
        }
    }
}
