import WireProtocol

// Receipts: the agent builds the statement that the gateway says to have signed, and believes only the signature of
// exactly that (specification §9.5).

extension AgentContext {
    /// What becomes of the receipt that came, or did not come, with an answer.
    ///
    /// - Parameters:
    ///   - key: the object's, without the device's prefix.
    ///   - upload: whose user is told why a receipt is not kept.
    ///   - connection: on which the answer came.
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
            // It says the same of every file.
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
            // Nobody can have signed what has no bytes.
        }
        actions.append(.report(upload, .receiptRefused(.badSignature)))
        return .missing
    }

    /// Whether a gateway that is connected now signs receipts.
    var isReceiptToBeHad: Bool { connections.values.contains { $0.welcome?.receiptKey.isEmpty == false } }

    /// A gateway has told where this device's objects lie. The journal takes it where it is news.
    mutating func learn(_ site: DeviceSite) {
        guard self.site != site else { return }
        self.site = site
        journal(.site(site))
    }
}
