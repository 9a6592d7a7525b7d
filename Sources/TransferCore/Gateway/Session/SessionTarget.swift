package import TransferCommon
package import WireProtocol

/// What a session writes: whose file, under which key and terms, to which upload, and what it may replace.
package struct SessionTarget: Hashable, Sendable {
    package private(set) var device: AuthorisedDevice
    package private(set) var facts: SessionRecord
    package let plan: PartPlan
    package private(set) var writeGuard: WriteGuard

    /// - Parameter compares: whether the agent compares the file with an equally large object before it sends data.
    package init(device: AuthorisedDevice, facts: SessionRecord, plan: PartPlan, compares: Bool) {
        self.device = device
        self.facts = facts
        self.plan = plan
        self.writeGuard = WriteGuard(
            session: facts.session, condition: facts.terms.condition, plan: plan, compares: compares)
    }

    package var session: SessionID { facts.session }
    package var key: String { facts.key }
    package var isOnePart: Bool { plan.isOnePart }

    // MARK: Events

    /// Keeps the new values of the device after its line in the device list has changed.
    package mutating func changed(_ device: AuthorisedDevice) {
        self.device = device
    }

    /// Keeps the id of the session's upload, which the store has created or the session's record names.
    package mutating func created(upload: String) {
        facts.upload = upload
    }

    /// Takes over what an opening session has seen under the same key, because this session takes over its slots.
    package mutating func inherit(_ other: SessionTarget) {
        writeGuard.inherit(other.writeGuard)
    }

    /// Judges what a look at the key has found. Returns the step that ends the session: the object is its own, or must
    /// not be replaced, or the agent compares it first. `content`: evidence of the content that the session's own
    /// object would have; `.none` while it is not known. `isUploadGone`: the store does not know the upload.
    /// `isFirst`: the agent has sent no data yet, so it may still compare.
    package mutating func judge(
        _ object: ObjectSummary?, content: ContentEvidence = .none, isUploadGone: Bool = false, isFirst: Bool = false
    ) -> SessionStep? {
        let result = writeGuard.looked(object, content: content, isUploadGone: isUploadGone, isFirst: isFirst)
        guard let object else { return nil }
        switch result {
        case .own(let leavesUpload):
            let stored = object.stored(partBytes: plan.partBytes)
            return .settle(stored, bytes: object.size, leavesUpload: leavesUpload)
        case .exists: return .exists(object)
        case .free: return nil
        }
    }

    // MARK: Requests to the store

    package var lookUp: StoreRequest { .lookUpObject(key: key, plan: plan) }

    /// The request that carries an offered part to the store.
    package func storing(_ part: IncomingPart) -> StoreRequest {
        let offer = part.offer
        let bytes = PartBytes(flow: part.flow, size: offer.size, digest: offer.digest, md5: offer.md5)
        guard let upload = facts.upload, !isOnePart else {
            return .storeObject(
                key: key, metadata: facts.objectMetadata, bytes: bytes, condition: writeGuard.putCondition)
        }
        return .storePart(key: key, upload: upload, part: offer.part, bytes: bytes)
    }

    // MARK: Adoption

    /// The unfinished sessions that may take this one's place, the lowest id first. `busy`: in use or ended.
    package func candidates(
        among records: [SessionRecord], except busy: Set<SessionID>, probesMax: Int
    ) -> [SessionOpening.Candidate] {
        records.filter { !busy.contains($0.session) && isAdoptable($0) }.compactMap { SessionOpening.Candidate($0) }
            .sorted { $0.record.session < $1.record.session }
            .prefix(probesMax).map { $0 }
    }

    private func isAdoptable(_ record: SessionRecord) -> Bool {
        // A record may outlast its session, because removing the record may fail. A damaged record gives no part plan.
        // If such a session were adopted, the gateway would later refuse its token, and would then offer the agent the
        // same session again.
        record.hasPlan && record.session != session && record.session != writeGuard.objectSession
            && record.isSameUpload(as: facts)
    }

    // MARK: Answers to the agent

    /// COMPLETED for the session's own object.
    package func completed(_ object: StoredObject, bytes: UInt64) -> Completed {
        Completed(
            size: bytes, evidence: object.evidence, partBytes: plan.partBytes, etag: object.etag,
            version: object.version, location: location)
    }

    /// RESUME STATE of a session that takes no parts.
    package func resumeState(_ phase: ResumePhase) -> ResumeState {
        ResumeState(phase: phase, partBytes: plan.partBytes, candidateParts: 0, partials: [], wanted: [], token: [])
    }

    /// The prefix is cut off by bytes, because one character can contain its last byte and the first of the rest.
    private var location: String {
        String(decoding: key.utf8.dropFirst(device.prefix.utf8.count), as: UTF8.self)
    }
}

extension SessionRecord {
    /// Whether two sessions upload the same version of a file; never true of streams, whose size is unknown.
    func isSameUpload(as other: SessionRecord) -> Bool {
        device == other.device && terms == other.terms && terms.size != nil
    }

    var hasPlan: Bool { PartPlan(fileBytes: terms.size, partBytes: terms.partBytes) != nil }
}

extension ObjectSummary {
    /// An object that was found, as the store describes a new one. If its root digest uses another part size than
    /// `partBytes`, it is not verified, because a receipt would state the session's part size.
    func stored(partBytes: UInt64) -> StoredObject {
        var object = StoredObject(evidence: evidence, etag: etag, version: version)
        if case .root = evidence {
            object.isVerified = isVerified && self.partBytes == partBytes
        } else {
            object.isVerified = isVerified
        }
        return object
    }
}
