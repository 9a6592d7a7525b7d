import Foundation
import FuzzTargets

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// libFuzzer's own main, where it was linked in. It is looked up by name, so that the program is built and checked
/// with every other one, and needs libFuzzer only where it fuzzes.
enum LibFuzzer {
    private typealias Driver =
        @convention(c) (
            UnsafeMutablePointer<Int32>, UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
            @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
        ) -> Int32

    /// Runs until the flags' limits or a finding.
    ///
    /// - Parameter words: the program's name, then libFuzzer's flags and folders.
    /// - Returns: the exit status, or `nil` where libFuzzer was not linked in.
    static func run(_ words: [String]) -> Int32? {
        guard let symbol = dlsym(nil, "LLVMFuzzerRunDriver") else { return nil }
        let driver = unsafeBitCast(symbol, to: Driver.self)
        // They live as long as the process.
        let arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: words.count + 1)
        for (index, word) in words.enumerated() { arguments[index] = strdup(word) }
        arguments[words.count] = nil
        var (count, list) = (Int32(words.count), arguments)
        return driver(&count, &list) { start, count in
            runOne(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// libFuzzer's function has no room for a context.
private let chosenTarget = CommandLine.arguments.count > 2 ? FuzzTarget.named(CommandLine.arguments[2]) : nil

/// Ends the process as a crash where something does not hold, so that libFuzzer keeps the input.
private func runOne(_ input: [UInt8]) {
    do {
        try chosenTarget?.check(input)
    } catch {
        FileHandle.standardError.write(Data("finding: \(error)\n".utf8))
        abort()
    }
}
