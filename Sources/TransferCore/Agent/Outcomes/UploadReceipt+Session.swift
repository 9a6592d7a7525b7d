import TransferCommon
import WireProtocol

// The receipts of an upload's object.

extension UploadReceipt {
    /// The receipt of an object that was completed as the session's file.
    init(of completed: Completed, by session: UploadSession, root: SHA256Digest?, at site: DeviceSite?) {
        self.init(
            size: completed.size, partBytes: completed.partBytes, root: root, evidence: completed.evidence,
            etag: completed.etag, version: completed.version, session: session.id,
            stamp: session.request.isStream ? nil : session.stamp)
        self.site = site
        self.stampCounts = session.stampCounts
    }

    /// The receipt of an object that was found to be the session's file. `root` is set if the evidence gives it.
    init(
        of exists: SessionExists, by session: UploadSession, _ evidence: ContentEvidence, root: SHA256Digest?,
        at site: DeviceSite?
    ) {
        // If another device wrote the object with the same content, the receipt must not claim it for a session of this
        // agent.
        let own = [session.id, session.earlier?.session, session.request.proof?.session]
        let writer = exists.session.flatMap { own.contains($0) ? $0 : nil }
        self.init(
            size: exists.size, partBytes: exists.partBytes, root: root, evidence: evidence, etag: exists.etag,
            version: exists.version, session: writer, stamp: session.stamp)
        // The evidence is a digest of the whole object and depends on no part size. But a root digest depends on a part
        // size, so the receipt states a part size with which the whole object is one part.
        if root != nil, partBytes == 0 { partBytes = max(exists.size, 1) }
        self.site = site
        self.stampCounts = session.stampCounts
        self.signed = session.request.wantsReceipt ? .missing : .notAskedFor
    }

    /// The receipt of a file that is unchanged since it was stored.
    init(ofUnchanged proof: StoredProof, by request: UploadRequest, at site: DeviceSite?) {
        self.init(
            size: proof.size, partBytes: proof.partBytes, root: proof.root,
            evidence: proof.root.map { .root($0) } ?? .none, etag: proof.etag, version: proof.version,
            session: proof.session, stamp: proof.stamp)
        self.site = site
        self.stampCounts = proof.stampCounts
        self.isUnchanged = true
        if request.wantsReceipt { self.signed = request.signedReceipt.map { .kept($0) } ?? .missing }
    }
}
