import TransferCommon
import WireProtocol

// Receipts: the agent builds the statement that the gateway claims to have signed, and accepts only a signature of
// exactly this statement (specification §9.5).

extension AgentContext {
    /// Judges the receipt that an answer of a gateway carries.
    ///
    /// - Parameters:
    ///   - signature: `nil` if the answer has none.
    ///   - key: the key of the object, without the device's prefix.
    ///   - upload: the upload whose report says why a receipt was refused.
    ///   - connection: the connection on which the answer came.
    mutating func receipt(
        _ signature: ReceiptSignature?, of object: ProvenObject, key: String, for upload: UploadID,
        on connection: ConnectionID
    ) -> ReceiptOutcome {
        guard let signature, let connection = connections[connection], let welcome = connection.welcome else {
            return .missing
        }
        guard let fingerprint = cryptography.fingerprint(ofKey: welcome.receiptKey),
            connection.gateway.map({ $0.fingerprint == fingerprint }) ?? true
        else {
            // A gateway that signs with another key does so for every file, so one report is enough.
            if !isOtherKeyTold { actions.append(.report(upload, .receiptRefused(.otherKey))) }
            isOtherKeyTold = true
            return .missing
        }
        let statement = ReceiptStatement(
            of: object, key: welcome.site.wholeKey(key), device: welcome.deviceName,
            storeIdentity: welcome.storeIdentity, siteKey: fingerprint, timeMilliseconds: signature.timeMilliseconds)
        do throws(ReceiptStatementError) {
            let bytes = try statement.encoded()
            if cryptography.isSignature(signature.bytes, of: bytes, by: welcome.receiptKey) {
                return .kept(
                    StoredReceipt(
                        statement: bytes, signature: signature.bytes, publicKey: welcome.receiptKey,
                        certificates: connection.gateway?.certificates ?? []))
            }
        } catch {
            // The encoder refuses the statement, so no gateway can have signed it.
        }
        actions.append(.report(upload, .receiptRefused(.badSignature)))
        return .missing
    }

    /// Judges the receipt of an object that was completed as the session's file. If the gateway's evidence was not
    /// found equal to the file's digest (`isCompared`), the receipt would state something that the agent cannot check.
    mutating func receipt(
        of completed: Completed, isCompared: Bool, for session: UploadSession, on connection: ConnectionID
    ) -> ReceiptOutcome {
        guard session.request.wantsReceipt else { return .notAskedFor }
        guard isCompared else { return .missing }
        return receipt(
            completed.receipt, of: completed.object(of: session.id), key: session.request.key,
            for: session.request.id, on: connection)
    }

    /// Reports an outcome that has become durable. If the user wants the receipt of a stored file and no valid one has
    /// arrived, the agent first asks a gateway for it by PROVE.
    mutating func report(_ outcome: UploadOutcome, of session: UploadSession, _ progress: UploadProgress) {
        let (id, key) = (session.request.id, session.request.key)
        guard case .stored(let receipt, let wasThere) = outcome, receipt.signed == .missing, let root = receipt.root,
            receipt.partBytes > 0, var stamp = session.stamp, phase == .running, isReceiptToBeHad
        else { return actions.append(.finish(id, outcome, progress)) }
        stamp.size = receipt.size
        proofsToBegin.append(
            ProofToBegin(
                request: ProofRequest(id: id, key: key, stamp: stamp, partBytes: receipt.partBytes, root: root),
                purpose: .receipt(
                    receipt, wasThere: wasThere, progress,
                    else: receipt.isUnchanged ? session.request.readingFile : nil)))
    }

    /// Whether a gateway that is connected now signs receipts.
    var isReceiptToBeHad: Bool { connections.values.contains { $0.welcome?.receiptKey.isEmpty == false } }

    /// Notes store, name and key prefix that a gateway states for this device, and records a change in the journal.
    mutating func learn(_ site: DeviceSite) {
        guard self.site != site else { return }
        self.site = site
        journal(.site(site))
    }
}
