#!/usr/bin/env python3
"""Banned calls, comments, tabs, size and complexity of files and functions.

usage: check-source.py SOURCE-ROOT
"""

import pathlib
import re
import sys

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 100
MAX_COMPLEXITY = 20

ALLOCATION = '''malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf
    aligned_alloc posix_memalign memalign alloca'''.split()
BANNED = set(ALLOCATION) | set('''
    strcpy stpcpy strcat strncat sprintf vsprintf snprintf vsnprintf strncpy strtok strtok_r
    atoi atol atoll atof sscanf gets
    isalnum isalpha isascii isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper
    isxdigit tolower toupper
    strcasecmp strncasecmp strcasestr strcoll strtod strtof strtold
    printf fprintf vprintf vfprintf dprintf puts fputs putchar putc fputc fwrite perror
    getenv secure_getenv setenv putenv setlocale signal sigaction rand srand random rand_r
    time sleep usleep nanosleep getaddrinfo gethostbyname gethostbyname_r
    exit _exit abort'''.split())

# the one place that everything else goes through, or what a dependency forces upon us
ALLOWED = {
    'lib/base/mem.c': {'realloc', 'free'},
    'lib/base/error.c': {'vsnprintf'},
    'lib/base/log.c': {'vsnprintf'},
    'lib/base/str.c': {'vsnprintf'},
    'lib/jid/prep.c': {'free'},  # libunistring allocates with malloc() and has no function of its own
}


def blank(match):
    return re.sub(r'[^\n]', ' ', match.group(0))


def strip(text):
    """Without comments and the content of literals; lines stay where they are."""
    token = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', flags=re.S)
    return token.sub(lambda m: blank(m) if m.group(0)[0] == '/' else m.group(0)[0] * 2, text)


def line_of(code, position):
    return code.count('\n', 0, position) + 1


def check_calls(name, code):
    allowed = ALLOWED.get(name, set())
    # members may have any name: codec->ops->free(codec)
    for match in re.finditer(r'(?<![\w.>])([A-Za-z_]\w*)\s*\(', code):
        if match.group(1) in BANNED and match.group(1) not in allowed:
            yield f'{name}:{line_of(code, match.start())}: {match.group(1)}() is banned'
    # handing them on as a function pointer is a call in disguise
    for match in re.finditer(r'[=,(]\s*([A-Za-z_]\w*)\s*[,;)}]', code):
        if match.group(1) in ALLOCATION and match.group(1) not in allowed:
            yield f'{name}:{line_of(code, match.start(1))}: {match.group(1)} is banned'
    for match in re.finditer(r'\b(stdout|stderr)\b', code):
        yield f'{name}:{line_of(code, match.start())}: {match.group(1)} belongs to the application'


def functions(code):
    """(name, first line, lines of the function): the formatter puts its braces into column 0."""
    lines = code.splitlines()
    start = None
    for number, line in enumerate(lines):
        if line == '{':
            start = number
            while start > 0 and lines[start - 1].strip() and not lines[start - 1][0] in '}#':
                start -= 1
        elif line.startswith('}') and start is not None:
            head = ' '.join(lines[start:number])
            match = re.search(r'(\w+)\s*\(', re.sub(r'__attribute__\s*\(\(.*?\)\)\)?', '', head))
            yield match.group(1) if match else '?', start + 1, lines[start:number + 1]
            start = None


def complexity(body):
    """McCabe's number with a switch counted once, so that flat tables are no problem."""
    text = '\n'.join(body)
    return 1 + len(re.findall(r'\b(?:if|for|while|switch)\b|&&|\|\||\?', text))


def check_functions(name, code):
    for function, line, body in functions(code):
        if len(body) > MAX_FUNCTION_LINES:
            yield f'{name}:{line}: {function}() has {len(body)} lines'
        if complexity(body) > MAX_COMPLEXITY:
            yield f'{name}:{line}: {function}() has a complexity of {complexity(body)}'


def check_file(root, path):
    name = str(path.relative_to(root))
    text = path.read_text(encoding='utf-8')
    code = strip(text)
    lines = text.count('\n')
    # a test program belongs to one library file, however much there is to test
    if lines > MAX_FILE_LINES and not name.startswith('tests/'):
        yield f'{name}: {lines} lines'
    for number, line in enumerate(text.splitlines(), 1):
        if '\t' in line:
            yield f'{name}:{number}: tab'
    for match in re.finditer('//', code):
        yield f'{name}:{line_of(code, match.start())}: // comment'
    if name.startswith('lib/'):
        yield from check_calls(name, code)
        yield from check_functions(name, code)


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    complaints = []
    count = 0
    for folder in ('lib', 'testlib', 'include', 'examples', 'tests'):
        for path in sorted((root / folder).rglob('*.[ch]')):
            complaints += check_file(root, path)
            count += 1
    if count == 0:
        complaints.append('no files found')
    print('\n'.join(complaints), end='\n' if complaints else '')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main())
