import FoundationEssentials
package import WireProtocol

/// A file with any number of receipts (specification §9.5). It is text, and the command `openssl` can verify the
/// receipts in it.
///
/// ```
/// sluice receipt v1
/// statement: BASE64
/// signature: BASE64
/// -----BEGIN PUBLIC KEY-----
/// BASE64, in lines of at most 64 characters
/// -----END PUBLIC KEY-----
/// ```
///
/// `CERTIFICATE` blocks may follow. Reading a file verifies nothing: a receipt may still be invalid.
package enum ReceiptFile {
    /// The extension of a file with a single receipt.
    package static let nameExtension = ".receipt"

    fileprivate static let firstLine = "sluice receipt v1"
    fileprivate static let statementLabel = "statement: "
    fileprivate static let signatureLabel = "signature: "
    fileprivate static let keyBlock = "PUBLIC KEY"
    fileprivate static let certificateBlock = "CERTIFICATE"
    fileprivate static let blockLineCharacters = 64

    /// The text of a file with these receipts, in this order.
    package static func text(of receipts: [StoredReceipt]) -> String {
        var lines: [String] = []
        for receipt in receipts {
            lines.append(firstLine)
            lines.append(statementLabel + base64(receipt.statement))
            lines.append(signatureLabel + base64(receipt.signature))
            lines += block(keyBlock, receipt.publicKey)
            for certificate in receipt.certificates { lines += block(certificateBlock, certificate) }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// Parses the bytes of a file. For a file without receipts the result is empty.
    package static func read(_ bytes: [UInt8]) throws(ReceiptFileError) -> [StoredReceipt] {
        var reader = ReceiptFileReader(bytes)
        var receipts: [StoredReceipt] = []
        while !reader.isAtEnd { receipts.append(try reader.receipt()) }
        return receipts
    }

    private static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    private static func block(_ name: String, _ bytes: [UInt8]) -> [String] {
        let digits = Array(base64(bytes).utf8)
        let lines = stride(from: 0, to: digits.count, by: blockLineCharacters).map { start in
            String(decoding: digits[start..<min(start + blockLineCharacters, digits.count)], as: UTF8.self)
        }
        return ["-----BEGIN \(name)-----"] + lines + ["-----END \(name)-----"]
    }
}

/// The reason why bytes are not a file of receipts.
package struct ReceiptFileError: Error, Hashable, CustomStringConvertible {
    /// Number of the line with the error, counted from 1. If the file ends too early, the number that the next line
    /// would have.
    package let line: Int
    /// What the line should contain.
    package let expected: String

    package var description: String { "line \(line): expected \(expected)" }
}

private struct ReceiptFileReader {
    /// The lines that are not parsed yet, each with its number in the file. Empty lines and comments are left out.
    private var lines: ArraySlice<(number: Int, text: ArraySlice<UInt8>)>
    private let lineCount: Int

    init(_ bytes: [UInt8]) {
        var all = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // If nothing follows the last line feed, there is no further line.
        if all.last?.isEmpty == true { all.removeLast() }
        lineCount = all.count
        lines =
            all.enumerated().map { ($0 + 1, $1) }.filter { line in
                !line.1.isEmpty && line.1.first != UInt8(ascii: "#")
            }[...]
    }

    var isAtEnd: Bool { lines.isEmpty }

    mutating func receipt() throws(ReceiptFileError) -> StoredReceipt {
        guard next(is: ReceiptFile.firstLine) else { throw unexpected("\"\(ReceiptFile.firstLine)\"") }
        let statement = try value(ReceiptFile.statementLabel, bytesMax: StoredReceipt.statementBytesMax)
        let signature = try value(ReceiptFile.signatureLabel, bytesMax: StoredReceipt.signatureBytesMax)
        guard let publicKey = try block(ReceiptFile.keyBlock, bytesMax: StoredReceipt.publicKeyBytesMax) else {
            throw unexpected("\"-----BEGIN \(ReceiptFile.keyBlock)-----\"")
        }
        var certificates: [[UInt8]] = []
        while let certificate = try block(
            ReceiptFile.certificateBlock, bytesMax: CertificateAuthority.certificateBytesMax)
        {
            certificates.append(certificate)
            guard certificates.count <= CertificateAuthority.chainCountMax else {
                throw unexpected("at most \(CertificateAuthority.chainCountMax) certificates")
            }
        }
        return StoredReceipt(
            statement: statement, signature: signature, publicKey: publicKey, certificates: certificates)
    }

    private func unexpected(_ expected: String) -> ReceiptFileError {
        ReceiptFileError(line: lines.first?.number ?? lineCount + 1, expected: expected)
    }

    private mutating func next(is text: String) -> Bool {
        guard let line = lines.first, line.text.elementsEqual(text.utf8) else { return false }
        lines.removeFirst()
        return true
    }

    private mutating func value(_ label: String, bytesMax: Int) throws(ReceiptFileError) -> [UInt8] {
        guard let line = lines.first, line.text.starts(with: label.utf8),
            let bytes = Self.bytes(ofBase64: line.text.dropFirst(label.utf8.count), bytesMax: bytesMax)
        else { throw unexpected("\"\(label)\" and 1 to \(bytesMax) bytes in base64 with padding") }
        lines.removeFirst()
        return bytes
    }

    private mutating func block(_ name: String, bytesMax: Int) throws(ReceiptFileError) -> [UInt8]? {
        let start = lines.first?.number ?? lineCount
        guard next(is: "-----BEGIN \(name)-----") else { return nil }
        var digits: [UInt8] = []
        while !next(is: "-----END \(name)-----") {
            guard let line = lines.first, line.text.first != UInt8(ascii: "-"),
                line.text.count <= ReceiptFile.blockLineCharacters, digits.count <= 2 * bytesMax
            else {
                throw unexpected(
                    "base64 in lines of at most \(ReceiptFile.blockLineCharacters) characters, and then "
                        + "\"-----END \(name)-----\"")
            }
            digits += line.text
            lines.removeFirst()
        }
        guard let bytes = Self.bytes(ofBase64: digits[...], bytesMax: bytesMax) else {
            throw ReceiptFileError(line: start, expected: "a block of 1 to \(bytesMax) bytes in base64 with padding")
        }
        return bytes
    }

    /// - Returns: the decoded bytes; `nil` if the text is not the canonical base64 of at most `bytesMax` bytes.
    private static func bytes(ofBase64 digits: ArraySlice<UInt8>, bytesMax: Int) -> [UInt8]? {
        guard digits.count <= 2 * bytesMax + 4 else { return nil }
        let text = String(decoding: digits, as: UTF8.self)
        guard let data = Data(base64Encoded: text), (1...bytesMax).contains(data.count),
            data.base64EncodedString().utf8.elementsEqual(digits)
        else { return nil }
        return Array(data)
    }
}
