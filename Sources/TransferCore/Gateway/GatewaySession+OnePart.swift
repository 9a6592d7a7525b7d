import WireProtocol

// Completing a file of one part (specification §9.2): one request to the store, whose last bytes wait for COMPLETE.

extension GatewaySession {
    /// Lets the last bytes of a one-part file go to the store, once all of it and COMPLETE are there.
    mutating func releaseIfComplete(_ context: inout GatewayContext) {
        guard let pending = pendingCompletion, let number = PartNumber(1) else { return }
        guard let part = parts[number], part.owner == pending.from else {
            // The part was put off, failed or moved meanwhile: the agent knows, and completes anew (§9.2).
            pendingCompletion = nil
            return
        }
        guard part.isWhole else {
            pendingCompletion = nil
            return refuseCompletion(.listInvalid, "the part is not whole", to: pending.from, &context)
        }
        guard !part.isUndecided, part.release == .held else { return }
        guard pending.complete.partCount == 1, pending.complete.size == part.offer.size,
            context.cryptography.rootDigest(of: [part.offer.digest]) == pending.complete.root
        else {
            pendingCompletion = nil
            return refuseCompletion(
                .rootMismatch, "the digest of the part does not give the root digest", to: pending.from, &context)
        }
        guard mustLookBefore(context.limits.conditions.put) else { return release(number, &context) }
        let look = context.request(.lookUpObject(key: facts.key, plan: plan), for: id)
        parts[number]?.release = .looking(look)
    }

    private mutating func release(_ number: PartNumber, _ context: inout GatewayContext) {
        guard let part = parts[number] else { return }
        parts[number]?.release = .released
        context.actions.append(.releaseFlow(part.flow))
    }

    /// What the key holds is known, right before the last bytes of a one-part file may go to the store.
    mutating func receivedLookBeforeRelease(
        _ answer: StoreAnswer, part number: PartNumber, _ context: inout GatewayContext
    ) {
        guard let part = parts[number] else { return }
        guard case .object(let object) = answer else {
            dropPart(number, &context)
            pendingCompletion = nil
            return reportPart(number, answer.refusal(in: .part), to: part.owner, &context)
        }
        guard !ends(with: object, content: .wholeDigest(part.offer.digest), &context) else { return }
        // COMPLETE of a connection that is gone releases nothing. The next COMPLETE brings another look.
        guard let pending = pendingCompletion, pending.from == part.owner else {
            parts[number]?.release = .held
            return
        }
        release(number, &context)
    }
}
