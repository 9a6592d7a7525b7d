import TransferCommon
import WireProtocol

// Which part or phase of a session an answer of the store is for, and what the values of answers mean.

extension GatewaySession {
    /// Called by the gateway with each answer to a request of this session, once.
    ///
    /// - Parameter isBusy: whether another session is in use or at its end, and so not to be adopted.
    mutating func receivedAnswer(
        _ answer: StoreAnswer, to request: StoreRequestID, isBusy: (SessionID) -> Bool, _ context: inout GatewayContext
    ) {
        if let number = parts.first(where: { $0.value.sending?.call == request })?.key {
            return receivedPartAnswer(answer, part: number, &context)
        }
        if let digest = givenUp.removeValue(forKey: request) {
            if case .objectStored(let receipt) = answer, phase == .open {
                // A request that was given up has taken effect all the same: the object holds this session's bytes.
                return settle(
                    receipt.proven(by: .wholeDigest(digest), isVerified: true), bytes: plan.fileBytes ?? 0, &context)
            }
            finishAbortingIfAnswered(&context)
        }
        if leftover == request { return receivedLeftoverAnswer(answer, &context) }
        if let number = parts.first(where: { $0.value.tail == .looking(request) })?.key {
            return receivedLookBeforeRelease(answer, part: number, &context)
        }
        // What the phase does not wait for is the end of a request that was given up, or of removing a record:
        // cleaning finds what is left.
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
    /// Whether two sessions are uploads of the same version of the same file, as far as a record can say. Nothing tells
    /// one stream from another.
    func isSameUpload(as other: SessionRecordFacts) -> Bool {
        device == other.device && terms == other.terms && terms.size != nil
    }

    var hasPlan: Bool { PartPlan(fileBytes: terms.size, partBytes: terms.partBytes) != nil }
}

extension StoreReceipt {
    /// What was completed from these very parts has their digest, whatever the store itself keeps of it.
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
    /// What COMPLETED says of an object that was found.
    ///
    /// - Parameter partBytes: the session's. A root digest by another part size is not signed as one by this size.
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
    /// Whether two statements are about the same stored part. Some stores write ETags with quotes in one place and
    /// without in another.
    func isSameAsStored(_ other: PartListEntry) -> Bool {
        size == other.size && etag.utf8.filter { $0 != 0x22 } == other.etag.utf8.filter { $0 != 0x22 }
    }
}
