import Foundation
import FuzzTargets

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Runs one fuzz target. The inputs come from libFuzzer if it is linked in (`make fuzz`), or from files.
@main
enum FuzzProgram {
    private static let usage = """
        usage: sluice-fuzz names                       the targets' names
               sluice-fuzz seeds VECTORS CORPUS        writes every target's seeds below CORPUS
               sluice-fuzz replay TARGET FILE...       runs a target once with each file
               sluice-fuzz fuzz TARGET FLAG...         runs libFuzzer with its own flags
        """

    /// Runs the command that the first argument names.
    static func main() throws {
        let words = CommandLine.arguments
        switch (words.count > 1 ? words[1] : "", words.count) {
        case ("names", 2):
            print(FuzzTarget.all.map(\.name).joined(separator: "\n"))
        case ("seeds", 4):
            try writeSeeds(vectors: URL(filePath: words[2]), corpus: URL(filePath: words[3]))
        case ("replay", 3...):
            let target = target(words[2])
            for file in words.dropFirst(3) { try target.check(Array(try Data(contentsOf: URL(filePath: file)))) }
            print("\(target.name): \(words.count - 3) inputs, no finding")
        case ("fuzz", 3...):
            let target = target(words[2])
            let flags = ["-max_len=\(target.inputBytesMax)"] + words.dropFirst(3)
            guard let status = LibFuzzer.run([words[0]] + flags) else { finish("no libFuzzer in it: see make fuzz") }
            exit(status)
        default:
            finish(usage)
        }
    }

    private static func target(_ name: String) -> FuzzTarget {
        guard let target = FuzzTarget.named(name) else { finish("no target \(name)\n\(usage)") }
        return target
    }

    private static func finish(_ text: String) -> Never {
        print(text)
        exit(64)
    }

    private static func writeSeeds(vectors: URL, corpus: URL) throws {
        let vectors = try Vectors(folder: vectors)
        for target in FuzzTarget.all {
            let folder = corpus.appending(path: target.name)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, bytes) in try target.seeds(vectors) {
                try Data(bytes).write(to: folder.appending(path: "seed-\(name)"))
            }
        }
    }
}
