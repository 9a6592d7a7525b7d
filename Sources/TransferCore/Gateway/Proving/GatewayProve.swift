import TransferCommon
import WireProtocol

/// One PROVE at the gateway: the question whether the store holds a file's content under a key (specification §9.6).
///
///     from       event                                                     to
///     lookingUp  no object, another size, or verified evidence             answered
///     lookingUp  no evidence of the content, and PROVE asks to read it     reading
///     lookingUp  no evidence of the content, and PROVE does not            answered
///     lookingUp  the store fails                                           answered
///     reading    the object was read, or is gone                           answered
///     reading    the store fails                                           answered
///
/// - Evidence is a digest that the store has compared with the bytes, or that the gateway has read. Metadata and MD5s
///   are no evidence.
/// - A PROVE ends when the gateway answers it. SESSION LEAVE and the end of the connection end it without an answer.
struct GatewayProve: Hashable {
    enum Phase: Hashable {
        case lookingUp(StoreRequestID)
        case reading
    }

    /// What the gateway does next.
    enum Step: Hashable {
        case answer(Outcome, ProvenObject?)
        case readBack(ObjectSummary)
    }

    enum Outcome: Hashable {
        case proven, absent, different, unknown
    }

    let question: Prove
    /// The whole key, prefix included.
    let key: String
    let plan: PartPlan
    let device: AuthorisedDevice
    var phase: Phase

    /// Judges the object under the key, if any, by the evidence so far.
    func judge(_ object: ObjectSummary?, rootDigest: ([SHA256Digest]) -> SHA256Digest?) -> Step {
        guard let object else { return .answer(.absent, nil) }
        let shown = ProvenObject(
            size: object.size, evidence: object.isVerified ? object.evidence : .none,
            partBytes: object.isVerified ? object.partBytes : 0, etag: object.etag, version: object.version,
            session: object.session)
        guard object.size == question.size else { return .answer(.different, shown) }
        if let agrees = agreement(with: object, rootDigest) { return .answer(agrees ? .proven : .different, shown) }
        guard question.readsBack, phase != .reading else { return .answer(.unknown, shown) }
        return .readBack(object)
    }

    /// Whether the evidence of an object agrees with the root digest; `nil` if the evidence does not show it.
    private func agreement(
        with object: ObjectSummary, _ rootDigest: ([SHA256Digest]) -> SHA256Digest?
    ) -> Bool? {
        guard object.isVerified else { return nil }
        switch object.evidence {
        case .root(let root):
            // A file of one part has the same root digest for every part size that holds the whole file.
            let isOnePart = plan.isOnePart && object.partBytes >= question.size
            return object.partBytes == question.partBytes || isOnePart ? root == question.root : nil
        case .wholeDigest(let digest):
            return plan.isOnePart ? rootDigest([digest]).map { $0 == question.root } : nil
        case .compositeMD5, .none:
            return nil
        }
    }
}
