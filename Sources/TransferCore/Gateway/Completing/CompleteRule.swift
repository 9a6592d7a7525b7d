package import TransferCommon
package import WireProtocol

/// Checks COMPLETE (specification §9.1): its numbers against those of the session, and its root digest against the
/// digests of the parts. Each check returns the refusal to send; `nil` if COMPLETE passes.
package struct CompleteRule {
    private let plan: PartPlan
    private let extent: StreamExtent

    /// - Parameter extent: what the offers have said about the length of a stream.
    package init(plan: PartPlan, extent: StreamExtent = StreamExtent()) {
        self.plan = plan
        self.extent = extent
    }

    /// Checks the numbers that COMPLETE names: parts, bytes and part size.
    package func objection(to complete: Complete) -> SessionRefused? {
        objectionToNumbers(of: complete).map { SessionRefused(.listInvalid, message: $0) }
    }

    /// Whether the list of parts that precedes COMPLETE is accepted.
    package enum OnList: Hashable, Sendable {
        case agreed([PartListEntry])
        case refused(SessionRefused)
    }

    /// Checks the list of several parts, which is `nil` if its last page is missing.
    package func judge(
        _ list: [PartListEntry]?, of complete: Complete, rootDigest: ([SHA256Digest]) -> SHA256Digest?
    ) -> OnList {
        guard let list else {
            return .refused(SessionRefused(.listInvalid, message: "COMPLETE without a whole list of the parts"))
        }
        return objection(to: list, of: complete, rootDigest: rootDigest).map { .refused($0) } ?? .agreed(list)
    }

    private func objectionToNumbers(of complete: Complete) -> String? {
        let named = "COMPLETE names \(complete.partCount) parts and \(complete.size) bytes"
        if let bytes = plan.fileBytes, bytes != complete.size { return "\(named); the session has \(bytes) bytes" }
        let whole = PartPlan(fileBytes: complete.size, partBytes: plan.partBytes)
        guard whole?.partCount == complete.partCount else { return "\(named), in parts of \(plan.partBytes)" }
        return plan.isStream ? extent.objection(to: complete) : nil
    }

    /// Checks the list of several parts: numbers without a gap, sizes that fit, digests that give the root digest.
    package func objection(
        to list: [PartListEntry], of complete: Complete, rootDigest: ([SHA256Digest]) -> SHA256Digest?
    ) -> SessionRefused? {
        guard list.count == Int(complete.partCount),
            let whole = PartPlan(fileBytes: complete.size, partBytes: plan.partBytes)
        else {
            let message = "COMPLETE names \(complete.partCount) parts, its list \(list.count)"
            return SessionRefused(.listInvalid, message: message)
        }
        var digests: [SHA256Digest] = []
        for (index, entry) in list.enumerated() {
            guard Int(entry.part.value) == index + 1, entry.size == whole.bytes(of: entry.part), !entry.etag.isEmpty,
                let digest = entry.digest
            else {
                let message = "entry \(index + 1) of the list is not that part, whole and with digest and ETag"
                return SessionRefused(.listInvalid, message: message)
            }
            digests.append(digest)
        }
        guard rootDigest(digests) == complete.root else {
            return SessionRefused(.rootMismatch, message: "the digests of the parts do not give the root digest")
        }
        return nil
    }

    /// Checks that the file's only part has arrived completely, and that its digest gives the root digest.
    package func objection(
        to part: IncomingPart, of complete: Complete, rootDigest: ([SHA256Digest]) -> SHA256Digest?
    ) -> SessionRefused? {
        guard part.isWhole else {
            let message = "COMPLETE of a part of which \(part.received) of \(part.offer.size) bytes are there"
            return SessionRefused(.listInvalid, message: message)
        }
        guard rootDigest([part.offer.digest]) == complete.root else {
            return SessionRefused(
                .rootMismatch, message: "the digest of the part does not give the root digest")
        }
        return nil
    }
}
