import TransferCommon
import WireProtocol

// Fields that a side may choose freely, so that no replay compares them (specification §14.1).

extension Frame {
    /// The frame with a fixed value in every field that its sender chooses freely.
    ///
    /// Some fields are free only in certain conversations: `limit` of PART DECISION, and `offset` and `limit` after
    /// data was sent ahead. `PartDecision.comparable` handles them.
    var comparable: Frame {
        switch self {
        case .hello(let hello):
            .hello(
                Hello(
                    versionMin: hello.versionMin, versionMax: hello.versionMax, capabilities: hello.capabilities,
                    fingerprint: .zero, run: RunID(high: 0, low: 0), software: ""))
        // WELCOME has only free fields, so one fixed frame stands for every WELCOME. The decoder has already checked
        // its form.
        case .welcome: .ping(Ping(nonce: 0))
        case .ping: .ping(Ping(nonce: 0))
        case .goAway(let away): .goAway(GoAway(deadlineMilliseconds: away.deadlineMilliseconds, message: ""))
        case .enrol(let enrol): .enrol(Enrol(fingerprint: .zero, secret: enrol.secret, software: ""))
        case .error(let report):
            .error(
                ErrorReport(
                    scope: report.scope, code: report.code, retryAfterMilliseconds: 0,
                    message: report.message.isEmpty ? "" : "said"))
        case .sessionRefused(let refused):
            .sessionRefused(
                SessionRefused(
                    code: refused.code, retryAfterMilliseconds: 0, message: refused.message.isEmpty ? "" : "said"))
        case .sessionOpened(let opened):
            .sessionOpened(
                SessionOpened(
                    session: opened.session, partBytes: opened.partBytes, token: [],
                    adoption: opened.adoption.map {
                        SessionOpened.Adoption(
                            candidateParts: $0.candidateParts,
                            partials: $0.partials.map { $0.comparable(partBytes: opened.partBytes) })
                    }))
        case .sessionExists(let exists):
            .sessionExists(
                SessionExists(
                    size: exists.size, partBytes: exists.partBytes, evidence: exists.evidence, etag: "", version: "",
                    session: exists.session))
        case .stored(let stored): .stored(Stored(part: stored.part, etag: ""))
        case .resumeState(let state):
            .resumeState(
                ResumeState(
                    phase: state.phase, partBytes: state.partBytes, candidateParts: state.candidateParts,
                    partials: state.partials.map { $0.comparable(partBytes: state.partBytes) }, wanted: state.wanted,
                    token: []))
        case .completed(let completed):
            .completed(
                Completed(
                    size: completed.size, evidence: completed.evidence, partBytes: completed.partBytes, etag: "",
                    version: "", location: completed.location, receipt: completed.receipt.flatMap { _ in .any }))
        case .proven(let proven): .proven(proven.comparable)
        default: self
        }
    }
}

extension PartialPart {
    /// The partial with fixed values in its free fields. A limit beyond the end of the part means the part's size
    /// (§7.2); the frame does not say how large the last part is.
    fileprivate func comparable(partBytes: UInt64) -> PartialPart {
        PartialPart(part: part, digest: digest, offset: min(offset, partBytes), limit: min(limit, partBytes))
    }
}

extension Proven {
    fileprivate var comparable: Proven {
        switch self {
        case .proven(let object, let receipt): .proven(object.comparable, receipt: receipt.flatMap { _ in .any })
        case .absent: .absent
        case .different(let object): .different(object.comparable)
        case .unknown(let object): .unknown(object.comparable)
        }
    }
}

extension ProvenObject {
    fileprivate var comparable: ProvenObject {
        ProvenObject(
            size: size, evidence: evidence, partBytes: partBytes, etag: "", version: "", session: session)
    }
}

extension ReceiptSignature {
    fileprivate static var any: ReceiptSignature? { ReceiptSignature(timeMilliseconds: 0, bytes: [0]) }
}

extension PartDecision {
    /// The decision with a fixed value in every field that a gateway chooses freely.
    ///
    /// - Parameters:
    ///   - size: size of the part; a larger offset or limit means this size (§7.2).
    ///   - isAhead: whether data of the part came before the decision.
    func comparable(size: UInt64, isAhead: Bool) -> PartDecision {
        switch decision {
        case .send where isAhead: PartDecision(part: part, decision: .send(offset: 0, limit: 0))
        case .send(let offset, let limit):
            PartDecision(part: part, decision: .send(offset: min(offset, size), limit: min(limit, size)))
        case .have: PartDecision(part: part, decision: .have(etag: ""))
        case .later(let code, _): PartDecision(part: part, decision: .later(code: code, retryAfterMilliseconds: 0))
        case .no: self
        }
    }
}

extension PartList {
    /// The list without the ETags, which the store chooses.
    var comparable: PartList {
        PartList(
            entries: entries.map { PartListEntry(part: $0.part, size: $0.size, digest: $0.digest, etag: "") },
            isLast: isLast)
    }
}
