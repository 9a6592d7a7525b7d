import TransferCommon
import WireProtocol

// PROVE in the slots of a connection (specification §9.6).

extension Gateway {
    mutating func receivedProve(_ question: Prove, at attachment: Attachment, device: AuthorisedDevice) {
        guard drainDeadline == nil else { return refuse(.draining, Self.drainMessage, at: attachment) }
        guard mayBegin(at: attachment, device: device) else { return }
        let key: String
        do {
            key = try KeyRule.wholeKey(prefix: device.prefix, key: question.key)
        } catch {
            return refuse(.keyInvalid, error.message, at: attachment)
        }
        // Reading the object back computes a digest for each part, so the number of parts is bounded: no session can
        // have had more than `partsMax`.
        guard let plan = PartPlan(fileBytes: question.size, partBytes: question.partBytes),
            let count = plan.partCount, count <= WireLimits.partsMax
        else {
            return refuse(
                .sizeUnsupported, "no file has more than \(WireLimits.partsMax) parts; this one would have more",
                at: attachment)
        }
        guard proves[device.fingerprint] < limits.provesPerDeviceMax, proves.total < limits.provesMax else {
            return refuse(
                .busy, "as many objects are being proved as may be at once", retryAfter: context.limits.laterAdvice,
                at: attachment)
        }
        let request = context.request(
            .lookUpObject(key: key, plan: plan), for: .prove(attachment, device: device.fingerprint))
        self[prove: attachment] = GatewayProve(
            question: question, key: key, plan: plan, device: device, phase: .lookingUp(request))
        proves.add(device.fingerprint)
    }

    /// The store has looked up the key of a PROVE. The answer counts only for the PROVE that made this request: the
    /// agent may have left the slot meanwhile, and may use it for another PROVE.
    mutating func receivedLookUp(_ answer: StoreAnswer, to request: StoreRequestID, at attachment: Attachment) {
        guard self[prove: attachment]?.phase == .lookingUp(request) else { return }
        receivedContent(answer, at: attachment)
    }

    /// The store has looked up or read the object of a PROVE.
    mutating func receivedContent(_ answer: StoreAnswer, at attachment: Attachment) {
        guard let prove = self[prove: attachment] else { return }
        guard case .object(let object) = answer else {
            let refusal = context.advised(answer.refusal(in: .session))
            removeProve(at: attachment)
            return refuse(
                refusal.code, refusal.message, retryAfter: .milliseconds(Int64(refusal.retryAfterMilliseconds)),
                at: attachment)
        }
        switch prove.judge(object, rootDigest: context.cryptography.rootDigest) {
        case .readBack(let size):
            self[prove: attachment]?.phase = .reading
            readBacks.add(
                ReadBackQueue.Reading(
                    reader: .prove(attachment), device: prove.device.fingerprint, key: prove.key, size: size,
                    partBytes: prove.question.partBytes))
        case .answer(let outcome, let object):
            removeProve(at: attachment)
            let frame = Frame.proven(proven(outcome, object, for: prove))
            if frame.tellsOfObject { giveBackBeginning(at: attachment) }
            context.send(frame, to: attachment)
        }
    }

    private mutating func proven(
        _ outcome: GatewayProve.Outcome, _ object: ProvenObject?, for prove: GatewayProve
    ) -> Proven {
        guard let object else { return .absent }
        switch outcome {
        case .absent: return .absent
        case .different: return .different(object)
        case .unknown: return .unknown(object)
        case .proven:
            return .proven(object, receipt: context.receipt(for: object, key: prove.key, device: prove.device))
        }
    }

    // MARK: Ending without an answer

    /// SESSION LEAVE: no answer is sent, and the request to the store is cancelled.
    mutating func endProve(at attachment: Attachment) {
        guard let prove = self[prove: attachment] else { return }
        removeProve(at: attachment)
        switch prove.phase {
        case .lookingUp(let request):
            context.actions.append(.cancel(request))
        case .reading:
            guard let request = readBacks.remove(.prove(attachment), device: prove.device.fingerprint) else { return }
            context.actions.append(.cancel(request))
        }
    }

    /// Called when the connection ends.
    mutating func endProves(of id: ConnectionID) {
        for slot in connections[id]?.slots.inUse ?? [] {
            endProve(at: Attachment(connection: id, slot: slot))
        }
    }

    private mutating func removeProve(at attachment: Attachment) {
        guard let prove = self[prove: attachment] else { return }
        self[prove: attachment] = nil
        proves.remove(prove.device.fingerprint)
    }
}
