import Cryptography
package import SystemSupport
import TransferCommon
import WireProtocol

/// The result of verifying a file of receipts: lines for standard output, advice for standard error, and the exit code.
package struct ReceiptReport: Equatable, Sendable {
    /// For each receipt, whether its signature is valid and what the receipt states.
    package let lines: [String]
    /// The same for programs: one object for each receipt.
    package let objects: [JSONObject<ReceiptFields>]
    package let advice: [String]
    /// `success`: all receipts are valid · `failure`: at least one receipt is not valid, or the file has none ·
    /// `missingInput`: the receipt file or the key file cannot be read.
    package let exitStatus: ProgramExit

    package var exitCode: Int32 { exitStatus.rawValue }

    /// The signer whose receipts the command accepts.
    package enum Signer: Equatable, Sendable {
        /// Any key. The advice then asks the user to compare the key's fingerprint.
        case anybody
        /// The key with this fingerprint, or the public key or certificate (PEM) at this path.
        case key(String)
        /// A key whose certificate is signed by the authority in this PEM file, for this host name or address.
        case authority(path: String, gatewayName: String)
    }

    private static let fileBytesMax = 64 << 20
    private static let keyFileBytesMax = 1 << 20

    /// Reads a file and verifies all its receipts.
    package init(path: String, signer: Signer) {
        let trust: ReceiptTrust
        let receipts: [StoredReceipt]
        do {
            trust = try Self.trust(signer)
            receipts = try ReceiptFile.read(BoundedFile.read(path, bytesMax: Self.fileBytesMax, access: .anyone))
        } catch let error as UnreadableKey {
            self.init(unreadable: error.description)
            return
        } catch let error as ReceiptFileError {
            self.init(unreadable: "\(path) is not a file of receipts: \(error)")
            return
        } catch {
            self.init(unreadable: "\(error)")
            return
        }
        self.init(receipts, trusting: trust)
    }

    private init(unreadable sentence: String) {
        (lines, objects, advice, exitStatus) = ([], [], [sentence], .missingInput)
    }

    private init(_ receipts: [StoredReceipt], trusting trust: ReceiptTrust) {
        var lines: [String] = []
        var objects: [JSONObject<ReceiptFields>] = []
        var refused = 0
        for (index, receipt) in receipts.enumerated() {
            do throws(ReceiptError) {
                let verified = try receipt.verified(trusting: trust)
                objects.append(JSONObject(verified.statement, isVerified: true))
                lines.append("verified: \(verified.statement.key.withVisibleControls)")
                lines += verified.statement.details.map { "  \($0)" }
            } catch {
                refused += 1
                objects.append(JSONObject(refused: receipt, reason: "\(error)"))
                lines.append("not verified: receipt \(index + 1) of \(receipts.count): \(error)")
            }
        }
        var advice: [String] = []
        if receipts.isEmpty { advice.append("the file holds no receipt.") }
        if case .anyKey = trust, refused < receipts.count {
            advice.append(
                "Anybody can make a key: compare the one behind \"signed by\" with the site's, or name that with "
                    + "--key, or its authority with --ca."
            )
        }
        self.lines = lines
        self.objects = objects
        self.advice = advice
        self.exitStatus = receipts.isEmpty || refused > 0 ? .failure : .success
    }

    private static func trust(_ signer: Signer) throws(UnreadableKey) -> ReceiptTrust {
        switch signer {
        case .anybody: return .anyKey
        case .key(let key): return try trust(key)
        case .authority(let path, let gatewayName):
            do throws(CertificateAuthorityError) {
                return .authority(try CertificateAuthority.load(from: path), gatewayName: gatewayName)
            } catch {
                throw UnreadableKey(description: "the authority that --ca names cannot be used: \(error)")
            }
        }
    }

    private static func trust(_ key: String) throws(UnreadableKey) -> ReceiptTrust {
        if let fingerprint = Fingerprint(key) { return .keys([fingerprint]) }
        do {
            return .keys([try Fingerprint(pem: BoundedFile.read(key, bytesMax: keyFileBytesMax, access: .anyone))])
        } catch {
            throw UnreadableKey(
                description: "--key is neither a fingerprint, sha256: and 64 digits, nor a file with a public key or "
                    + "certificate in PEM: \(error)")
        }
    }
}

private struct UnreadableKey: Error, CustomStringConvertible {
    let description: String
}
