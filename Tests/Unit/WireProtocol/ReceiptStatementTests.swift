import FoundationEssentials
import Testing
import TransferCommon
import WireProtocol

/// Compares the bytes of a receipt's statement (specification §9.5) with Protocol/vectors/receipt.txt.
@Suite struct ReceiptStatementTests {
    private static func vector() throws -> [String: String] {
        let lines = try Repository.vectors("receipt.txt", fieldCount: 2)
        return Dictionary(uniqueKeysWithValues: lines.map { ($0[0], $0[1]) })
    }

    private static func text(_ field: String?) throws -> String {
        try JSONDecoder().decode(String.self, from: Data(try #require(field).utf8))
    }

    private static func number<Value: FixedWidthInteger>(_ field: String?) throws -> Value {
        try #require(field.flatMap { Value($0) })
    }

    private static func vectorStatement() throws -> ReceiptStatement {
        let values = try vector()
        #expect(values["evidenceKind"] == "1")
        return ReceiptStatement(
            storeIdentity: try #require(values["storeIdentity"].flatMap { StoreIdentity($0) }),
            siteKey: try #require(values["siteKey"].flatMap { SHA256Digest($0) }),
            device: try text(values["device"]), key: try text(values["key"]),
            session: try #require(values["session"].flatMap { SessionID($0) }), size: try number(values["size"]),
            partBytes: try number(values["partBytes"]),
            evidence: .root(try #require(values["evidence"].flatMap { SHA256Digest($0) })),
            etag: try text(values["etag"]), version: try text(values["version"]),
            timeMilliseconds: try number(values["time"]))
    }

    @Test func theVectorsFieldsGiveTheVectorsBytes() throws {
        let values = try Self.vector()
        #expect(hexadecimal(try Self.vectorStatement().encoded()) == values["statement"])
        #expect(hexadecimal(ReceiptStatement.purpose) == values["purpose"])
    }

    @Test func theVectorsBytesGiveTheVectorsFields() throws {
        let bytes = try #require(Self.vector()["statement"].flatMap { bytesOfHexadecimal($0) })
        #expect(try ReceiptStatement(decoding: bytes) == Self.vectorStatement())
    }

    @Test func evidenceOfOnePartHasItsOwnKind() throws {
        var statement = try Self.vectorStatement()
        let root = try statement.encoded()
        guard case .root(let digest) = statement.evidence else { throw VectorError(reason: "evidenceKind") }
        statement.evidence = .wholeDigest(digest)
        let whole = try statement.encoded()
        #expect(zip(root, whole).filter { $0 != $1 }.map(\.1) == [2])
        #expect(try ReceiptStatement(decoding: whole) == statement)
    }

    @Test func extremeValuesSurvive() throws {
        var statement = try Self.vectorStatement()
        statement.device = String(repeating: "d", count: 255)
        statement.key = String(repeating: "k", count: 65_535)
        (statement.etag, statement.version) = ("", "e\u{301}\0")
        (statement.size, statement.partBytes, statement.timeMilliseconds) = (.max, 0, .min)
        statement.session = SessionID(high: 0, low: .max)
        #expect(try ReceiptStatement(decoding: statement.encoded()) == statement)
    }

    @Test func invalidValuesAreRefused() throws {
        let statement = try Self.vectorStatement()
        func refusal(_ change: (inout ReceiptStatement) -> Void) -> ReceiptStatementError? {
            var changed = statement
            change(&changed)
            do throws(ReceiptStatementError) {
                _ = try changed.encoded()
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal { $0.evidence = .none } == .badValue(field: "evidenceKind"))
        #expect(refusal { $0.evidence = .compositeMD5("a-1") } == .badValue(field: "evidenceKind"))
        #expect(refusal { $0.device = String(repeating: "d", count: 256) } == .badValue(field: "device"))
        #expect(refusal { $0.key = String(repeating: "k", count: 65_536) } == .badValue(field: "key"))
        #expect(refusal { $0.etag = String(repeating: "k", count: 65_536) } == .badValue(field: "etag"))
        #expect(refusal { $0.version = String(repeating: "k", count: 65_536) } == .badValue(field: "version"))
    }

    @Test func everyCutIsRefused() throws {
        let bytes = try Self.vectorStatement().encoded()
        for count in bytes.indices {
            #expect(throws: ReceiptStatementError.self) { try ReceiptStatement(decoding: bytes.prefix(count)) }
        }
        #expect(throws: ReceiptStatementError.tooShort(field: "time")) {
            try ReceiptStatement(decoding: bytes.dropLast())
        }
        #expect(throws: ReceiptStatementError.trailingBytes(count: 2)) {
            try ReceiptStatement(decoding: bytes + [0, 1])
        }
        #expect(throws: ReceiptStatementError.unknownPurpose) { try ReceiptStatement(decoding: []) }
    }

    /// Each statement has only one encoding: if bytes decode to a statement, that statement encodes to the same bytes.
    @Test func everyChangedByteIsAnotherStatementOrNone() throws {
        let original = try Self.vectorStatement()
        let bytes = try original.encoded()
        for place in bytes.indices {
            for value: UInt8 in [0x01, 0x80, 0xFF] {
                var changed = bytes
                changed[place] ^= value
                do throws(ReceiptStatementError) {
                    let statement = try ReceiptStatement(decoding: changed)
                    #expect(try statement.encoded() == changed)
                    #expect(statement != original)
                } catch {
                    #expect(!error.description.isEmpty)
                }
            }
        }
    }

    /// Two spellings of one letter make two keys.
    @Test func statementsAreComparedByBytes() throws {
        var composed = try Self.vectorStatement()
        var decomposed = composed
        (composed.key, decomposed.key) = ("\u{e9}", "e\u{301}")
        #expect(composed.key == decomposed.key)
        #expect(composed != decomposed)
    }

    @Test func aKeptReceiptTellsItsContent() throws {
        let statement = try Self.vectorStatement()
        let receipt = StoredReceipt(statement: try statement.encoded(), signature: [1], publicKey: [2])
        #expect(try receipt.content() == statement)
        #expect(throws: ReceiptStatementError.unknownPurpose) {
            try StoredReceipt(statement: [], signature: [1], publicKey: [2]).content()
        }
    }
}
