import Cryptography
import SecureChannel
import TransferCommon
import WireProtocol

extension FuzzTarget {
    /// The formats in which receipts are read. The first byte of the input selects what the rest is: a file of
    /// receipts, a statement, or a public key followed by a signature.
    package static let receipt = FuzzTarget(name: "receipt", inputBytesMax: 4_096) { input in
        var input = FuzzInput(input)
        switch input.byte() % 3 {
        case 0: try expectFileIsReadOrRefused(Array(input.rest))
        case 1: try expectOneStatement(Array(input.rest))
        default: try expectKeyIsReadOrRefused(&input)
        }
    } seeds: { vectors in
        func bytes(_ name: String) -> [UInt8] { vectors.receipt[name].flatMap { bytesOfHexadecimal($0) } ?? [] }
        let key = bytes("publicKey")
        return [
            "file": [0] + vectors.receiptFile, "statement": [1] + bytes("statement"),
            "key": [2, UInt8(truncatingIfNeeded: key.count)] + key + bytes("signature"),
        ]
    }
}

/// If the reader accepts a file, its receipts can be written, read again, verified and printed.
private func expectFileIsReadOrRefused(_ bytes: [UInt8]) throws {
    let receipts: [StoredReceipt]
    do throws(ReceiptFileError) {
        receipts = try ReceiptFile.read(bytes)
    } catch {
        return try expect(error.line >= 1 && !error.expected.isEmpty, "a refusal without its line")
    }
    let again = try ReceiptFile.read(Array(ReceiptFile.text(of: receipts).utf8))
    try expect(again == receipts, "a file changes when it is written again")
    for receipt in receipts {
        do {
            let verified = try receipt.verified(trusting: .anyKey)
            try expectOneStatement(receipt.statement, verified.statement)
        } catch let error as ReceiptError {
            try expect(!error.description.isEmpty, "a refusal without a reason")
        }
    }
}

private func expectOneStatement(_ bytes: [UInt8]) throws {
    let statement: ReceiptStatement
    do throws(ReceiptStatementError) {
        statement = try ReceiptStatement(decoding: bytes)
    } catch {
        return try expect(!error.description.isEmpty, "a refusal without a reason")
    }
    try expectOneStatement(bytes, statement)
}

private func expectOneStatement(_ bytes: [UInt8], _ statement: ReceiptStatement) throws {
    try expect(try statement.encoded() == bytes, "two forms of one statement")
    for line in statement.details + [statement.line] {
        try expect(line.withVisibleControls == line, "a control character is shown")
    }
}

/// The second byte of the input is the length of the key. The signature follows the key.
private func expectKeyIsReadOrRefused(_ input: inout FuzzInput) throws {
    let bytes = input.bytes(Int(input.byte()))
    do {
        let key = try PublicKey(subjectPublicKeyInfo: bytes)
        // With a key of small order a signature can match any text. Users must not trust such a key, so a signature
        // that matches is not a finding.
        _ = try key.isSignature(Array(input.rest), of: Array("any text".utf8))
    } catch let error as PublicKeyError {
        try expect(!error.description.isEmpty, "a refusal without a reason")
    }
    try expect(OpenSSLErrorQueue.isEmpty, "errors are left in OpenSSL's queue")
}
