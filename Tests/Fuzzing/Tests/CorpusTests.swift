import Foundation
import FuzzTargets
import RepositoryFiles
import SeededRandom
import Testing

/// Runs the shipped code with the fuzzer's corpus and its past findings. `make fuzz` searches for new findings.
@Suite(.timeLimit(.minutes(10)))
struct CorpusTests {
    private static let folder = RepositoryFiles.url(of: "Tests/Fuzzing")
    private static let vectors = RepositoryFiles.url(of: "Protocol/vectors")

    /// - Parameter kind: `Corpus` or `Findings`. If the target has no such folder, there are no inputs.
    private static func inputs(_ kind: String, _ target: String) throws -> [(name: String, bytes: [UInt8])] {
        let folder = folder.appending(path: "\(kind)/\(target)")
        guard FileManager.default.fileExists(atPath: folder.path(percentEncoded: false)) else { return [] }
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func theCorpusHasNoFinding(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let inputs = try Self.inputs("Corpus", name)
        #expect(!inputs.isEmpty)
        for input in inputs {
            #expect(throws: Never.self, "\(name)/\(input.name)") { try target.check(input.bytes) }
        }
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func oldFindingsStayFixed(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        for input in try Self.inputs("Findings", name) {
            #expect(throws: Never.self, "\(name)/\(input.name)") { try target.check(input.bytes) }
        }
    }

    /// The corpus has only short inputs, and a fuzzer that begins with them reaches long ones late.
    @Test(arguments: [64 << 10, (64 << 10) + 1, (1 << 20) - 1], 0...3 as ClosedRange<UInt8>)
    func longAnswersOfAStoreHaveNoFinding(count: Int, kind: UInt8) {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: count)
        #expect(throws: Never.self) { try FuzzTarget.xml.check([kind] + text) }
    }

    @Test(arguments: FuzzTarget.all.map(\.name), [1, 2] as [UInt64])
    func mutationsOfTheCorpusHaveNoFinding(name: String, seed: UInt64) throws {
        let target = try #require(FuzzTarget.named(name))
        let inputs = try (Self.inputs("Corpus", name) + Self.inputs("Findings", name)).map(\.bytes)
        var generator = SeededGenerator(seed: seed)
        // Each run of the journal target writes a file and takes a thousand times as long as a run of another target,
        // so it gets fewer executions.
        for execution in 0..<(name == FuzzTarget.journal.name ? 50 : 5_000) {
            let input = mutated(inputs, using: &generator)
            do {
                try target.check(Array(input.prefix(target.inputBytesMax)))
            } catch {
                Issue.record("execution \(execution): \(error), of the input \(Data(input).base64EncodedString())")
                return
            }
        }
    }

    /// Files whose names begin with `seed-` are generated. If this test fails, run `make fuzz-seeds`, which writes them
    /// again.
    @Test(arguments: FuzzTarget.all.map(\.name))
    func theSeedsAreWhatTheVectorsGive(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let kept = try Self.inputs("Corpus", name).filter { $0.name.hasPrefix("seed-") }
        let made = try target.seeds(Vectors(folder: Self.vectors))
        #expect(Set(kept.map(\.name)) == Set(made.keys.map { "seed-\($0)" }))
        for seed in kept {
            #expect(made[String(seed.name.dropFirst("seed-".count))] == seed.bytes, "\(name)/\(seed.name)")
            #expect(seed.bytes.count <= target.inputBytesMax, "\(name)/\(seed.name)")
        }
    }

    /// Every clone of the repository contains the corpus, so its size is limited.
    @Test func theCorpusStaysSmall() throws {
        let inputs = try FuzzTarget.all.flatMap { target in
            try Self.inputs("Corpus", target.name) + Self.inputs("Findings", target.name)
        }
        #expect(inputs.count < 250)
        #expect(inputs.reduce(0) { $0 + $1.bytes.count } < 400 << 10)
    }

    private func mutated(_ inputs: [[UInt8]], using generator: inout SeededGenerator) -> [UInt8] {
        guard var bytes = inputs.randomElement(using: &generator), let other = inputs.randomElement(using: &generator)
        else { return [] }
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let place = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2 where place < bytes.count: bytes.remove(at: place)
            case 3: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
            case 4: bytes = Array(bytes[..<place])
            default: bytes.insert(contentsOf: other.suffix(Int.random(in: 0...40, using: &generator)), at: place)
            }
        }
        return bytes
    }
}
