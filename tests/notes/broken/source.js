console.log(42)
