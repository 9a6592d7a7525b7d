import Foundation
import ObjectStore
import RepositoryFiles
import Testing
import TransferCommon
import WireProtocol

/// Reads the session records of `Protocol/vectors/record.txt` (specification §11.2) and writes them as the same bytes
/// under the same name.
@Suite struct SessionRecordVectorTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let name: String
        let recordName: String
        let content: [UInt8]

        var testDescription: String { name }

        static func load() throws -> [Vector] {
            let text = try RepositoryFiles.text(of: "Protocol/vectors/record.txt")
            return try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
                let fields = line.components(separatedBy: " | ")
                let content = try JSONDecoder().decode(String.self, from: Data(try #require(fields.last).utf8))
                return Vector(name: fields[0], recordName: fields[1], content: Array(content.utf8))
            }
        }
    }

    @Test(arguments: try Vector.load())
    func vectorsRoundTrip(vector: Vector) throws {
        let record = try #require(SessionRecord(decoding: vector.content))
        #expect(try record.encoded() == vector.content)
        #expect(try SessionRecord.name(key: record.key, session: record.session) == vector.recordName)
        #expect(record.device == "camera-7" && record.terms.partBytes == 8 << 20)
        #expect(record.terms.modification == ModificationTime(seconds: 1_767_225_600, nanoseconds: 123_456_789))
    }

    @Test func metadataAndConditionsAreThoseOfTheVectors() throws {
        let records = try Vector.load().compactMap { SessionRecord(decoding: $0.content) }
        let last = try #require(records.last)
        #expect(last.terms.metadata.contentType == "video/mp4")
        #expect(last.terms.metadata.pairs.map(\.name) == ["line", "shift"])
        #expect(last.terms.metadata.pairs.map(\.value) == ["3", "late"])
        #expect(records.dropLast().allSatisfy { $0.terms.metadata == .none })
        #expect(records.map(\.terms.size) == [10_485_760, 10_485_760, nil, 10_485_760])
        #expect(records.prefix(3).map(\.terms.condition) == [.absent, .absent, .any])
    }

    /// No gateway writes metadata that breaks a rule. A record with such metadata is damaged or was written by another
    /// program.
    @Test func invalidMetadataMakeNoRecord() throws {
        let text = String(decoding: try #require(try Vector.load().last).content, as: UTF8.self)
        for (written, other) in [("video/mp4", "video"), ("\"late\"", "\"\""), ("\"line\"", "\"sluice-line\"")] {
            #expect(text.contains(written))
            #expect(SessionRecord(decoding: Array(text.replacing(written, with: other).utf8)) == nil)
        }
    }
}
