import TransferCommon
import WireProtocol

// Finds the part or phase of a session that waits for an answer of the store, and interprets the values of answers.

extension GatewaySession {
    /// Called by the gateway with each answer to a request of this session, once.
    ///
    /// - Parameter isBusy: whether the session with this id must not be adopted, because it is in use or has ended.
    mutating func receivedAnswer(
        _ answer: StoreAnswer, to request: StoreRequestID, isBusy: (SessionID) -> Bool, _ context: inout GatewayContext
    ) {
        if let number = parts.number(ofCall: request) {
            return receivedPartAnswer(answer, part: number, &context)
        }
        if let digest = givenUp.removeValue(forKey: request) {
            if case .objectStored(let receipt) = answer, phase == .open {
                // A request that was given up has taken effect after all: the object holds this session's bytes.
                return settle(
                    receipt.proven(by: .wholeDigest(digest), isVerified: true), bytes: plan.fileBytes ?? 0, &context)
            }
            finishAbortingIfAnswered(&context)
        }
        if leftover.awaits(request) { return receivedLeftoverAnswer(answer, &context) }
        if let number = parts.number(ofLook: request) {
            return receivedLookBeforeRelease(answer, part: number, &context)
        }
        // The remaining answers are to requests that were given up, or to the removal of a record. If such a request
        // leaves something in the store, the store's cleaning finds it.
        guard self.request == request else { return }
        self.request = nil
        switch phase {
        case .opening(let opening): receivedOpeningAnswer(answer, opening, isBusy: isBusy, &context)
        case .searching(let search): receivedSearchResult(answer, search, &context)
        case .completing(let completion): receivedCompletionAnswer(answer, completion, &context)
        case .aborting(let abort): receivedAbortAnswer(answer, abort, &context)
        case .new, .open, .settled, .taken, .ended: break
        }
    }
}

extension SessionRecordFacts {
    /// Whether two records say that their sessions upload the same version of the same file. Sessions of streams never
    /// count as the same, because the size of a stream is unknown.
    func isSameUpload(as other: SessionRecordFacts) -> Bool {
        device == other.device && terms == other.terms && terms.size != nil
    }

    var hasPlan: Bool { PartPlan(fileBytes: terms.size, partBytes: terms.partBytes) != nil }
}

extension StoreReceipt {
    /// The receipt of an object that the store has made of known parts. `evidence` follows from the digests of these
    /// parts, whether or not the store keeps a digest of the object.
    ///
    /// - Parameter isVerified: whether the gateway or the store has compared each of these digests with the bytes.
    func proven(by evidence: ContentEvidence, isVerified: Bool) -> StoreReceipt {
        var proven = self
        proven.evidence = evidence
        proven.isVerified = isVerified
        return proven
    }
}

extension ObjectFacts {
    /// The receipt for COMPLETED of an object that a look has found.
    ///
    /// - Parameter partBytes: the part size of the session. If the object's root digest uses another part size, the
    ///   receipt must not be signed with this one.
    func receipt(partBytes: UInt64) -> StoreReceipt {
        var receipt = StoreReceipt(evidence: evidence, etag: etag, version: version)
        if case .root = evidence {
            receipt.isVerified = isVerified && self.partBytes == partBytes
        } else {
            receipt.isVerified = isVerified
        }
        return receipt
    }
}

extension PartListEntry {
    /// Whether two entries name the same stored part. Some stores write an ETag with quotes in one place and without in
    /// another.
    func isSameAsStored(_ other: PartListEntry) -> Bool {
        size == other.size && etag.utf8.filter { $0 != 0x22 } == other.etag.utf8.filter { $0 != 0x22 }
    }
}
